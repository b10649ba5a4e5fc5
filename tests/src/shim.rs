//! A classifier in front of the measured one: it gives each run of a repeated packet another host.
//!
//! BPF_PROG_TEST_RUN repeats one packet. The shim writes a random word over the middle of its source
//! address and tail-calls the measured program, so that a table of many hosts is looked up at random,
//! as by real traffic. What the shim costs is measured by letting it call an empty program.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context as _, Result};

const BPF_MAP_CREATE: libc::c_int = 0;
const BPF_MAP_UPDATE_ELEM: libc::c_int = 2;
const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_PROG_TEST_RUN: libc::c_int = 10;
const BPF_MAP_TYPE_PROG_ARRAY: u32 = 3;
const BPF_PROG_TYPE_SCHED_CLS: u32 = 3;

const TAIL_CALL: i32 = 12;
const GET_PRANDOM_U32: i32 = 7;
/// `data` and `data_end` of `struct __sk_buff`.
const DATA: i16 = 76;
const DATA_END: i16 = 80;
/// The IPv4 source address, or bits 32 to 63 of the IPv6 one, in an untagged frame.
const SOURCE_WORD: i16 = 26;
/// The word's first octet: 10, as in 10.0.0.0/8.
const NETWORK: i32 = 10 << 24;

/// A classifier that passes everything.
pub struct Empty(OwnedFd);

/// A classifier that picks a random host and calls another.
pub struct Shim {
    program: OwnedFd,
    _table: OwnedFd,
}

/// One instruction of `struct bpf_insn`.
#[repr(C)]
struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

const fn instruction(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { code, registers: from << 4 | to, offset, immediate }
}

impl Empty {
    /// Loads it.
    pub fn load() -> Result<Self> {
        load(&[
            instruction(0xb7, 0, 0, 0, -1), // r0 = TC_ACT_UNSPEC
            instruction(0x95, 0, 0, 0, 0),  // exit
        ])
        .map(Self)
    }

    /// The program.
    pub fn fd(&self) -> BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(&self.0)
    }
}

impl Shim {
    /// Loads a shim that picks one of `hosts`, a power of two, and calls `target`.
    pub fn load(hosts: u32, target: BorrowedFd<'_>) -> Result<Self> {
        assert!(hosts.is_power_of_two());
        let table = program_array(target)?;
        let mask = (hosts - 1) as i32;
        let program = load(&[
            instruction(0xbf, 6, 1, 0, 0),                 // r6 = r1
            instruction(0x85, 0, 0, 0, GET_PRANDOM_U32),   // call
            instruction(0x54, 0, 0, 0, mask),              // w0 &= mask
            instruction(0x44, 0, 0, 0, NETWORK),           // w0 |= network
            instruction(0xdc, 0, 0, 0, 32),                // r0 = be32 r0
            instruction(0x61, 1, 6, DATA, 0),              // r1 = data
            instruction(0x61, 2, 6, DATA_END, 0),          // r2 = data_end
            instruction(0xbf, 3, 1, 0, 0),                 // r3 = r1
            instruction(0x07, 3, 0, 0, 34),                // r3 += 34
            instruction(0x2d, 3, 2, 6, 0),                 // if r3 > r2 goto exit
            instruction(0x63, 1, 0, SOURCE_WORD, 0),       // *(u32 *)(r1 + 26) = r0
            instruction(0xbf, 1, 6, 0, 0),                 // r1 = r6
            instruction(0x18, 2, 1, 0, table.as_raw_fd()), // r2 = table
            instruction(0, 0, 0, 0, 0),
            instruction(0xb7, 3, 0, 0, 0),         // r3 = 0
            instruction(0x85, 0, 0, 0, TAIL_CALL), // call
            instruction(0xb7, 0, 0, 0, -1),        // r0 = TC_ACT_UNSPEC
            instruction(0x95, 0, 0, 0, 0),         // exit
        ])?;
        Ok(Self { program, _table: table })
    }

    /// Runs `frame` `times` times; returns the answer of the last run and the mean duration of one.
    pub fn run(&self, frame: &[u8], times: u32) -> Result<(i32, Duration)> {
        let mut attr = TestRunAttr {
            prog_fd: self.program.as_raw_fd() as u32,
            retval: 0,
            data_size_in: frame.len() as u32,
            data_size_out: 0,
            data_in: frame.as_ptr() as u64,
            data_out: 0,
            repeat: times,
            duration_ns: 0,
            rest: [0; 5],
        };
        // SAFETY: the frame outlives the call and has the length that is given.
        unsafe { bpf(BPF_PROG_TEST_RUN, &mut attr) }.context("running the shim")?;
        Ok((attr.retval as i32, Duration::from_nanos(attr.duration_ns.into())))
    }
}

/// `BPF_PROG_TEST_RUN` of `union bpf_attr`.
#[repr(C)]
struct TestRunAttr {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration_ns: u32,
    rest: [u64; 5],
}

/// The head of `BPF_PROG_LOAD` of `union bpf_attr`.
#[repr(C)]
struct LoadAttr {
    prog_type: u32,
    instructions: u32,
    code: u64,
    license: u64,
    log: [u64; 12],
}

/// `BPF_MAP_UPDATE_ELEM` of `union bpf_attr`.
#[repr(C)]
struct UpdateAttr {
    map_fd: u64,
    key: u64,
    value: u64,
    flags: u64,
}

fn load(code: &[Instruction]) -> Result<OwnedFd> {
    let mut attr = LoadAttr {
        prog_type: BPF_PROG_TYPE_SCHED_CLS,
        instructions: code.len() as u32,
        code: code.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        log: [0; 12],
    };
    // SAFETY: the code and the licence outlive the call.
    let fd = unsafe { bpf(BPF_PROG_LOAD, &mut attr) }.context("loading a classifier")?;
    // SAFETY: the call returned a new descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A table of one program for tail calls.
fn program_array(target: BorrowedFd<'_>) -> Result<OwnedFd> {
    let mut attr = [BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1, 0, 0, 0, 0];
    // SAFETY: the attribute holds no pointers.
    let fd = unsafe { bpf(BPF_MAP_CREATE, &mut attr) }.context("creating a program array")?;
    // SAFETY: the call returned a new descriptor.
    let table = unsafe { OwnedFd::from_raw_fd(fd) };
    let (key, value) = (0_u32, target.as_raw_fd() as u32);
    let mut attr = UpdateAttr {
        map_fd: table.as_raw_fd() as u64,
        key: &raw const key as u64,
        value: &raw const value as u64,
        flags: 0,
    };
    // SAFETY: key and value outlive the call.
    unsafe { bpf(BPF_MAP_UPDATE_ELEM, &mut attr) }.context("filling a program array")?;
    Ok(table)
}

/// Makes one call of bpf(2).
///
/// # Safety
///
/// Every pointer in `attr` is valid for what the command reads and writes.
unsafe fn bpf<T>(command: libc::c_int, attr: &mut T) -> io::Result<i32> {
    // SAFETY: `attr` is valid for its length; the caller vouches for what it points to.
    let outcome = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attr, size_of::<T>()) };
    if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(outcome as i32) }
}
