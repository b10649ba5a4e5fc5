//! The calls of bpf(2) that aya does not wrap: TCX links by descriptor, and many counters at once.

use std::{
    ffi::CString,
    io,
    mem::{size_of, zeroed},
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

const BPF_MAP_LOOKUP_ELEM: libc::c_int = 1;
const BPF_OBJ_PIN: libc::c_int = 6;
const BPF_OBJ_GET: libc::c_int = 7;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BPF_PROG_QUERY: libc::c_int = 16;
const BPF_MAP_LOOKUP_BATCH: libc::c_int = 24;
const BPF_LINK_CREATE: libc::c_int = 28;
const BPF_LINK_UPDATE: libc::c_int = 29;
const BPF_LINK_DETACH: libc::c_int = 34;

/// Before all others.
const BPF_F_BEFORE: u32 = 1 << 3;

/// `BPF_OBJ_PIN` and `BPF_OBJ_GET` of `union bpf_attr`.
#[repr(C)]
struct ObjAttr {
    pathname: u64,
    bpf_fd: u32,
    file_flags: u32,
}

/// `BPF_OBJ_GET_INFO_BY_FD` of `union bpf_attr`.
#[repr(C)]
struct InfoAttr {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

/// The head of `struct bpf_link_info`, as filled for a TCX link.
#[repr(C)]
struct TcxLinkInfo {
    kind: u32,
    id: u32,
    prog_id: u32,
    padding: u32,
    ifindex: u32,
    attach_type: u32,
    rest: [u64; 8],
}

/// `query` of `union bpf_attr`.
#[repr(C)]
struct QueryAttr {
    target_ifindex: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    count: u32,
    padding: u32,
    prog_attach_flags: u64,
    link_ids: u64,
    link_attach_flags: u64,
    revision: u64,
}

/// `link_create` of `union bpf_attr`, for a TCX link.
#[repr(C)]
struct LinkCreateAttr {
    prog_fd: u32,
    target_ifindex: u32,
    attach_type: u32,
    flags: u32,
    relative_id: u32,
    padding: u32,
    expected_revision: u64,
}

/// `link_update` of `union bpf_attr`.
#[repr(C)]
struct LinkUpdateAttr {
    link_fd: u32,
    new_prog_fd: u32,
    flags: u32,
    old_prog_fd: u32,
}

/// Programs that a hook of an interface can have; of linux/bpf_mprog.h.
const MAX_CHAIN: usize = 64;

/// A TCX link, as the kernel knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TcxLink {
    /// Its id.
    pub(super) id: u32,
    /// Index of the interface that it is attached to; `None` when it was detached, or the interface is
    /// gone.
    pub(super) ifindex: Option<u32>,
}

/// `BPF_MAP_LOOKUP_ELEM` of `union bpf_attr`.
#[repr(C)]
struct ElementAttr {
    map_fd: u64,
    key: u64,
    value: u64,
    flags: u64,
}

/// `BPF_MAP_LOOKUP_BATCH` of `union bpf_attr`.
#[repr(C)]
struct BatchAttr {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

/// Reads one value of a per-CPU array, that of every possible processor.
///
/// # Safety
///
/// A value of the map has the size of `T`, any bytes are a `T`, and `values` has one for each possible
/// processor.
pub(super) unsafe fn read_element<T>(
    map: BorrowedFd<'_>,
    index: u32,
    values: &mut [T],
) -> io::Result<()> {
    let mut attr = ElementAttr {
        map_fd: map.as_raw_fd() as u64,
        key: &raw const index as u64,
        value: values.as_mut_ptr() as u64,
        flags: 0,
    };
    // SAFETY: the key outlives the call; the caller vouches for the room for values.
    unsafe { bpf(BPF_MAP_LOOKUP_ELEM, &mut attr) }.map(drop)
}

/// Reads `count` values of a per-CPU array from `first` on, those of all possible processors one after
/// the other (Linux 5.13 and newer).
///
/// # Safety
///
/// As for [`read_element`], with values for each possible processor `count` times.
pub(super) unsafe fn read_batch<T>(
    map: BorrowedFd<'_>,
    first: u32,
    count: u32,
    values: &mut [T],
) -> io::Result<()> {
    let mut keys = vec![0_u32; count as usize];
    // The kernel goes on behind the key that it is given.
    let before = first.wrapping_sub(1);
    let mut next = 0_u32;
    let mut attr = BatchAttr {
        in_batch: if first == 0 { 0 } else { &raw const before as u64 },
        out_batch: &raw mut next as u64,
        keys: keys.as_mut_ptr() as u64,
        values: values.as_mut_ptr() as u64,
        count,
        map_fd: map.as_raw_fd() as u32,
        elem_flags: 0,
        flags: 0,
    };
    // SAFETY: keys and both marks outlive the call; the caller vouches for the room for values.
    let outcome = unsafe { bpf(BPF_MAP_LOOKUP_BATCH, &mut attr) };
    match outcome {
        // The end of the map is told by an error, whether or not all was read.
        Err(error) if error.raw_os_error() != Some(libc::ENOENT) => Err(error),
        Ok(_) | Err(_) if attr.count == count => Ok(()),
        Ok(_) | Err(_) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Opens what is pinned at `path`.
pub(super) fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attr = ObjAttr { pathname: path.as_ptr() as u64, bpf_fd: 0, file_flags: 0 };
    // SAFETY: the path outlives the call.
    let fd = unsafe { bpf(BPF_OBJ_GET, &mut attr)? };
    // SAFETY: the call returned a new descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Pins what a descriptor stands for at `path`.
pub(super) fn pin(object: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let bpf_fd = object.as_raw_fd() as u32;
    let mut attr = ObjAttr { pathname: path.as_ptr() as u64, bpf_fd, file_flags: 0 };
    // SAFETY: the path outlives the call.
    unsafe { bpf(BPF_OBJ_PIN, &mut attr) }.map(drop)
}

/// Reads a TCX link.
pub(super) fn tcx_link(link: BorrowedFd<'_>) -> io::Result<TcxLink> {
    // SAFETY: the structure is made of integers.
    let mut info: TcxLinkInfo = unsafe { zeroed() };
    let mut attr = InfoAttr {
        bpf_fd: link.as_raw_fd() as u32,
        info_len: size_of::<TcxLinkInfo>() as u32,
        info: &raw mut info as u64,
    };
    // SAFETY: `info` outlives the call and has the length that is given.
    unsafe { bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attr)? };
    Ok(TcxLink { id: info.id, ifindex: (info.ifindex != 0).then_some(info.ifindex) })
}

/// Ids of the links at a TCX hook, in the order in which their programs run; 0 where a program has
/// none. `attach_type` is that of `enum bpf_attach_type`.
///
/// Unlike descriptors of the programs, these need no more than CAP_NET_ADMIN.
pub(super) fn tcx_chain(ifindex: u32, attach_type: u32) -> io::Result<Vec<u32>> {
    let mut prog_ids = [0_u32; MAX_CHAIN];
    let mut link_ids = [0_u32; MAX_CHAIN];
    let mut attr = QueryAttr {
        target_ifindex: ifindex,
        attach_type,
        query_flags: 0,
        attach_flags: 0,
        prog_ids: prog_ids.as_mut_ptr() as u64,
        count: MAX_CHAIN as u32,
        padding: 0,
        prog_attach_flags: 0,
        link_ids: link_ids.as_mut_ptr() as u64,
        link_attach_flags: 0,
        revision: 0,
    };
    // SAFETY: both arrays outlive the call and have room for `count` numbers.
    unsafe { bpf(BPF_PROG_QUERY, &mut attr)? };
    Ok(link_ids.into_iter().take(attr.count as usize).collect())
}

/// Attaches a program to a TCX hook, in front of all others. `attach_type` is that of `enum
/// bpf_attach_type`.
pub(super) fn attach_tcx(
    program: BorrowedFd<'_>,
    ifindex: u32,
    attach_type: u32,
) -> io::Result<OwnedFd> {
    let mut attr = LinkCreateAttr {
        prog_fd: program.as_raw_fd() as u32,
        target_ifindex: ifindex,
        attach_type,
        flags: BPF_F_BEFORE,
        relative_id: 0,
        padding: 0,
        expected_revision: 0,
    };
    // SAFETY: the attribute is made of numbers.
    let fd = unsafe { bpf(BPF_LINK_CREATE, &mut attr)? };
    // SAFETY: the call returned a new descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Puts a program in the place of the one that a link runs, atomically.
pub(super) fn update_link(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = LinkUpdateAttr {
        link_fd: link.as_raw_fd() as u32,
        new_prog_fd: program.as_raw_fd() as u32,
        flags: 0,
        old_prog_fd: 0,
    };
    // SAFETY: the attribute is made of numbers.
    unsafe { bpf(BPF_LINK_UPDATE, &mut attr) }.map(drop)
}

/// Detaches a link at once, whoever else still holds it.
pub(super) fn detach_link(link: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = [link.as_raw_fd() as u32, 0];
    // SAFETY: the attribute is one descriptor.
    unsafe { bpf(BPF_LINK_DETACH, &mut attr) }.map(drop)
}

/// Makes one call.
///
/// # Safety
///
/// Every pointer in `attr` is valid for what the command reads and writes.
unsafe fn bpf<T>(command: libc::c_int, attr: &mut T) -> io::Result<i32> {
    // SAFETY: `attr` is valid for its length; the caller vouches for what it points to.
    let outcome = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attr, size_of::<T>()) };
    if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(outcome as i32) }
}
