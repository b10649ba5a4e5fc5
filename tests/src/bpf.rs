//! bpf(2) for programs that are written instruction by instruction: what aya does for whole objects.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

const BPF_MAP_CREATE: libc::c_int = 0;
const BPF_MAP_LOOKUP_ELEM: libc::c_int = 1;
const BPF_MAP_UPDATE_ELEM: libc::c_int = 2;
const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_OBJ_PIN: libc::c_int = 6;
const BPF_OBJ_GET: libc::c_int = 7;
const BPF_PROG_TEST_RUN: libc::c_int = 10;
const BPF_LINK_DETACH: libc::c_int = 34;
const LOG_BYTES: usize = 1 << 16;

/// A kind of program, by its number in `enum bpf_prog_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramType {
    /// On a TC or TCX hook.
    Classifier = 3,
    /// Before there is a socket buffer.
    Xdp = 6,
}

/// A kind of map, by its number in `enum bpf_map_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapType {
    /// Values by number.
    Array = 2,
    /// Programs by number, for tail calls.
    ProgramArray = 3,
}

/// The answer that leaves a packet to the next program: `TC_ACT_UNSPEC`, `TCX_NEXT`.
pub const NEXT: i32 = -1;
/// The answer that passes a packet and ends the chain: `TC_ACT_OK`, `TCX_PASS`.
pub const PASS: i32 = 0;
/// The answer that drops a packet: `TC_ACT_SHOT`, `TCX_DROP`.
pub const DROP: i32 = 2;

/// One instruction of `struct bpf_insn`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

/// An instruction with its two registers, its offset and its immediate value.
pub const fn instruction(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { code, registers: from << 4 | to, offset, immediate }
}

/// The two instructions that put a map into a register.
pub fn load_map(to: u8, map: &OwnedFd) -> [Instruction; 2] {
    [instruction(0x18, to, 1, 0, map.as_raw_fd()), instruction(0, 0, 0, 0, 0)]
}

/// Loads a program; an error shows what the verifier said.
pub fn load(kind: ProgramType, code: &[Instruction]) -> Result<OwnedFd> {
    let mut attr = LoadAttr {
        prog_type: kind as u32,
        instruction_count: code.len() as u32,
        instructions: code.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        log_level: 1,
        ..LoadAttr::default()
    };
    // SAFETY: code and licence outlive the call and have the lengths that are given.
    let (program, _) = unsafe { attr.load() }.context("loading a program")?;
    Ok(program)
}

/// Pins a program or a map at `path`.
pub fn pin(fd: &OwnedFd, path: &Path) -> Result<()> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let mut attr = [name.as_ptr() as u64, fd.as_raw_fd() as u64];
    // SAFETY: the name outlives the call.
    unsafe { bpf(BPF_OBJ_PIN, &mut attr) }
        .with_context(|| format!("pinning {}", path.display()))?;
    Ok(())
}

/// A table of one program for tail calls.
pub fn program_array(target: BorrowedFd<'_>) -> Result<OwnedFd> {
    let table = map(MapType::ProgramArray, 4)?;
    let (key, value) = (0_u32, target.as_raw_fd() as u32);
    let mut attr = ElementAttr {
        map_fd: table.as_raw_fd() as u64,
        key: &raw const key as u64,
        value: &raw const value as u64,
        flags: 0,
    };
    // SAFETY: key and value outlive the call.
    unsafe { bpf(BPF_MAP_UPDATE_ELEM, &mut attr) }.context("filling a program array")?;
    Ok(table)
}

/// `N` numbers that a program adds to.
#[derive(Debug)]
pub struct Numbers<const N: usize>(OwnedFd);

impl<const N: usize> Numbers<N> {
    /// All of them 0, in the one element of an array.
    pub fn new() -> Result<Self> {
        map(MapType::Array, size_of::<[u64; N]>() as u32).map(Self)
    }

    /// The map.
    pub fn map(&self) -> &OwnedFd {
        &self.0
    }

    /// What they are now.
    pub fn read(&self) -> Result<[u64; N]> {
        let (key, mut value) = (0_u32, [0; N]);
        let mut attr = ElementAttr {
            map_fd: self.0.as_raw_fd() as u64,
            key: &raw const key as u64,
            value: &raw mut value as u64,
            flags: 0,
        };
        // SAFETY: key and value outlive the call and have the lengths of the map.
        unsafe { bpf(BPF_MAP_LOOKUP_ELEM, &mut attr) }.context("reading an array")?;
        Ok(value)
    }
}

/// Pairs of numbers that every processor counts for itself, in a pinned per-CPU array.
pub struct Tallies {
    map: OwnedFd,
    processors: usize,
}

impl Tallies {
    /// The array that is pinned at `path`.
    pub fn open(path: &Path) -> Result<Self> {
        let processors =
            aya::util::nr_cpus().map_err(|(_, error)| error).context("counting CPUs")?;
        Ok(Self { map: open_pinned(path)?, processors })
    }

    /// The sum over all processors of the pair that has an index.
    pub fn sum(&self, index: u32) -> Result<[u64; 2]> {
        let mut values = vec![[0_u64; 2]; self.processors];
        let mut attr = ElementAttr {
            map_fd: self.map.as_raw_fd() as u64,
            key: &raw const index as u64,
            value: values.as_mut_ptr() as u64,
            flags: 0,
        };
        // SAFETY: the key outlives the call, and so do the values, one for each processor there may be.
        unsafe { bpf(BPF_MAP_LOOKUP_ELEM, &mut attr) }.context("reading a per-CPU array")?;
        Ok(values.iter().fold([0; 2], |sum, value| [sum[0] + value[0], sum[1] + value[1]]))
    }
}

/// Makes a map of one element with a key of four bytes.
pub fn map(kind: MapType, value_bytes: u32) -> Result<OwnedFd> {
    create(kind, value_bytes, 1)
}

/// Makes an array of so many elements.
pub fn array(entries: u32, value_bytes: u32) -> Result<OwnedFd> {
    create(MapType::Array, value_bytes, entries)
}

fn create(kind: MapType, value_bytes: u32, entries: u32) -> Result<OwnedFd> {
    let mut attr = [kind as u32, 4, value_bytes, entries, 0, 0, 0, 0];
    // SAFETY: the attribute holds no pointers; the call returns a new descriptor.
    let made = unsafe { open(BPF_MAP_CREATE, &mut attr) };
    made.with_context(|| format!("creating a map, {kind:?}"))
}

/// Detaches the link that is pinned at `path`, as `bpftool link detach` does; the pin stays.
pub fn detach_pinned(path: &Path) -> Result<()> {
    detach_link(&open_pinned(path)?).with_context(|| format!("detaching {}", path.display()))
}

/// Detaches a link.
pub fn detach_link(link: &OwnedFd) -> Result<()> {
    let mut attr = [link.as_raw_fd() as u32, 0];
    // SAFETY: the attribute is one descriptor.
    unsafe { bpf(BPF_LINK_DETACH, &mut attr) }.context("detaching a link")?;
    Ok(())
}

/// Opens what is pinned at `path`.
pub fn open_pinned(path: &Path) -> Result<OwnedFd> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let mut attr = [name.as_ptr() as u64, 0];
    // SAFETY: the name outlives the call, which returns a new descriptor.
    let pinned = unsafe { open(BPF_OBJ_GET, &mut attr) };
    pinned.with_context(|| format!("opening {}", path.display()))
}

/// The kernel memory of a pinned map, in bytes; 0 for a pin that is no map.
pub fn pinned_bytes(path: &Path) -> Result<u64> {
    let pinned = open_pinned(path)?;
    let about = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pinned.as_raw_fd()))?;
    let bytes = about.lines().find_map(|line| line.strip_prefix("memlock:"));
    Ok(bytes.map_or(Ok(0), |bytes| bytes.trim().parse())?)
}

/// `BPF_PROG_LOAD` of `union bpf_attr`.
#[repr(C)]
#[derive(Default)]
pub(crate) struct LoadAttr {
    pub(crate) prog_type: u32,
    pub(crate) instruction_count: u32,
    pub(crate) instructions: u64,
    pub(crate) license: u64,
    pub(crate) log_level: u32,
    pub(crate) log_bytes: u32,
    pub(crate) log: u64,
    pub(crate) kernel_version: u32,
    pub(crate) flags: u32,
    pub(crate) name: [u8; 16],
    pub(crate) ifindex: u32,
    pub(crate) attach_type: u32,
    pub(crate) types_fd: u32,
    pub(crate) function_info_bytes: u32,
    pub(crate) function_info: u64,
    pub(crate) function_info_count: u32,
    pub(crate) line_info_bytes: u32,
    pub(crate) line_info: u64,
    pub(crate) line_info_count: u32,
    pub(crate) attach_btf_id: u32,
}

impl LoadAttr {
    /// Loads the program, with a log of its own, and returns what the verifier says as well; an error has it, too.
    ///
    /// # Safety
    ///
    /// What the addresses of instructions, licence and both lists point to has the lengths that are given.
    pub(crate) unsafe fn load(&mut self) -> Result<(OwnedFd, String)> {
        let mut log = vec![0_u8; LOG_BYTES];
        (self.log_bytes, self.log) = (log.len() as u32, log.as_mut_ptr() as u64);
        // SAFETY: the caller vouches for all but the log, which outlives the call and has the length that is given; it
        // returns a new descriptor.
        let program = unsafe { open(BPF_PROG_LOAD, self) };
        let said = String::from_utf8_lossy(&log).trim_end_matches('\0').trim_end().to_owned();
        Ok((program.with_context(|| format!("the verifier says: {said}"))?, said))
    }
}

/// `BPF_MAP_*_ELEM` of `union bpf_attr`.
#[repr(C)]
struct ElementAttr {
    map_fd: u64,
    key: u64,
    value: u64,
    flags: u64,
}

/// `BPF_PROG_TEST_RUN` of `union bpf_attr`.
#[repr(C)]
#[derive(Default)]
pub(crate) struct TestRunAttr {
    pub(crate) prog_fd: u32,
    pub(crate) retval: u32,
    pub(crate) data_size_in: u32,
    pub(crate) data_size_out: u32,
    pub(crate) data_in: u64,
    pub(crate) data_out: u64,
    pub(crate) repeat: u32,
    pub(crate) duration_ns: u32,
    pub(crate) ctx_size_in: u32,
    pub(crate) ctx_size_out: u32,
    pub(crate) ctx_in: u64,
    pub(crate) ctx_out: u64,
    pub(crate) flags: u32,
    pub(crate) cpu: u32,
    pub(crate) batch_size: u32,
    pub(crate) padding: u32,
}

impl TestRunAttr {
    /// Runs the program.
    ///
    /// # Safety
    ///
    /// What `data_in` points to has the length that is given.
    pub(crate) unsafe fn run(&mut self) -> io::Result<i32> {
        // SAFETY: the caller vouches for the only pointer there is.
        unsafe { bpf(BPF_PROG_TEST_RUN, self) }
    }
}

/// Makes one call that returns a new descriptor.
///
/// # Safety
///
/// As for [`bpf`]; the command returns a descriptor.
pub(crate) unsafe fn open<T>(command: libc::c_int, attr: &mut T) -> io::Result<OwnedFd> {
    // SAFETY: the caller vouches for what `attr` points to.
    let fd = unsafe { bpf(command, attr) }?;
    // SAFETY: the call returned a new descriptor, which nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes one call of bpf(2).
///
/// # Safety
///
/// Every pointer in `attr` is valid for what the command reads and writes.
pub unsafe fn bpf<T>(command: libc::c_int, attr: &mut T) -> io::Result<i32> {
    // SAFETY: `attr` is valid for its length; the caller vouches for what it points to.
    let outcome = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attr, size_of::<T>()) };
    if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(outcome as i32) }
}
