//! The calls of bpf(2) that aya does not wrap: TCX links by descriptor.

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

const BPF_OBJ_GET: libc::c_int = 7;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BPF_LINK_DETACH: libc::c_int = 34;

/// `BPF_OBJ_GET` of `union bpf_attr`.
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

/// Opens what is pinned at `path`.
pub(super) fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attr = ObjAttr { pathname: path.as_ptr() as u64, bpf_fd: 0, file_flags: 0 };
    // SAFETY: the path outlives the call.
    let fd = unsafe { bpf(BPF_OBJ_GET, &mut attr)? };
    // SAFETY: the call returned a new descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Index of the interface that a TCX link is attached to; `None` when the interface is gone.
pub(super) fn tcx_ifindex(link: BorrowedFd<'_>) -> io::Result<Option<u32>> {
    // SAFETY: the structure is made of integers.
    let mut info: TcxLinkInfo = unsafe { zeroed() };
    let mut attr = InfoAttr {
        bpf_fd: link.as_raw_fd() as u32,
        info_len: size_of::<TcxLinkInfo>() as u32,
        info: &raw mut info as u64,
    };
    // SAFETY: `info` outlives the call and has the length that is given.
    unsafe { bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attr)? };
    Ok((info.ifindex != 0).then_some(info.ifindex))
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
