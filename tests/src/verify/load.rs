//! BPF_PROG_LOAD with the verifier's statistics, and what the kernel says of a loaded program.

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use aya_obj::generated::bpf_prog_info;

use super::object::{EntryPoint, Relocated};
use crate::bpf::{LoadAttr, ProgramType, bpf, open};

const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BPF_BTF_LOAD: libc::c_int = 18;
/// `BPF_LOG_STATS`: no more than a few lines about the verifier's work.
const LOG_STATISTICS: u32 = 4;

/// What came of loading a program, which is gone by then.
pub(super) struct Loaded {
    /// Size in the kernel's instructions, in bytes.
    pub(super) translated_bytes: u32,
    /// Size in the processor's instructions, in bytes.
    pub(super) jited_bytes: u32,
    /// Time of the call.
    pub(super) duration: Duration,
    /// What the verifier said.
    pub(super) log: String,
}

/// `BPF_BTF_LOAD` of `union bpf_attr`.
#[repr(C)]
struct TypesAttr {
    types: u64,
    log: u64,
    types_bytes: u32,
    log_bytes: u32,
    log_level: u32,
    padding: u32,
}

/// `BPF_OBJ_GET_INFO_BY_FD` of `union bpf_attr`.
#[repr(C)]
struct InfoAttr {
    fd: u32,
    info_bytes: u32,
    info: u64,
}

/// Loads types; the kernel says nothing but an error number about what it refuses.
pub(super) fn types(bytes: &[u8]) -> Result<OwnedFd> {
    let mut attr = TypesAttr {
        types: bytes.as_ptr() as u64,
        log: 0,
        types_bytes: bytes.len() as u32,
        log_bytes: 0,
        log_level: 0,
        padding: 0,
    };
    // SAFETY: the types outlive the call and have the length that is given; it returns a new descriptor.
    unsafe { open(BPF_BTF_LOAD, &mut attr) }.context("loading the types of the eBPF object")
}

/// Loads a program; an error shows what the verifier said.
pub(super) fn load(object: &Relocated, entry: &EntryPoint) -> Result<Loaded> {
    let (functions, function_bytes) = &entry.function_info;
    let (lines, line_bytes) = &entry.line_info;
    let records = |bytes: &[u8], size: u32| (bytes.len() as u32).checked_div(size).unwrap_or(0);
    let mut attr = LoadAttr {
        prog_type: ProgramType::Classifier as u32,
        instruction_count: entry.instructions.len() as u32,
        instructions: entry.instructions.as_ptr() as u64,
        license: entry.license.as_ptr() as u64,
        log_level: LOG_STATISTICS,
        name: kernel_name(&entry.name),
        types_fd: object.types.as_raw_fd() as u32,
        function_info_bytes: *function_bytes,
        function_info: functions.as_ptr() as u64,
        function_info_count: records(functions, *function_bytes),
        line_info_bytes: *line_bytes,
        line_info: lines.as_ptr() as u64,
        line_info_count: records(lines, *line_bytes),
        ..LoadAttr::default()
    };
    let begun = Instant::now();
    // SAFETY: instructions, licence and both lists outlive the call and have the lengths that are given.
    let loaded = unsafe { attr.load() };
    let duration = begun.elapsed();
    let (program, log) = loaded?;
    let info = info(&program).context("asking about a loaded program")?;
    Ok(Loaded {
        translated_bytes: info.xlated_prog_len,
        jited_bytes: info.jited_prog_len,
        duration,
        log,
    })
}

/// The name as far as the kernel keeps it.
fn kernel_name(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    let kept = name.len().min(bytes.len() - 1);
    bytes[..kept].copy_from_slice(&name.as_bytes()[..kept]);
    bytes
}

fn info(program: &OwnedFd) -> io::Result<bpf_prog_info> {
    // SAFETY: the structure is made of integers.
    let mut info: bpf_prog_info = unsafe { zeroed() };
    let mut attr = InfoAttr {
        fd: program.as_raw_fd() as u32,
        info_bytes: size_of::<bpf_prog_info>() as u32,
        info: &raw mut info as u64,
    };
    // SAFETY: `info` outlives the call and has the length that is given; it asks for no list.
    unsafe { bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attr) }?;
    Ok(info)
}
