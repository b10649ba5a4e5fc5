//! Errors of the kernel, sorted by what was lacking: privileges, a feature, or something else.

use std::{error, fmt::Display, io, iter};

use crate::error::{Error, Kind};

/// The error number at the end of an error's chain of causes.
pub(super) fn errno(error: &(dyn error::Error + 'static)) -> Option<i32> {
    let mut chain = iter::successors(Some(error), |error| error.source());
    chain.find_map(|error| error.downcast_ref::<io::Error>()?.raw_os_error())
}

/// The error, with what was being done and a kind that its number gives.
pub(super) fn refused<E>(error: E, doing: impl Display) -> Error
where
    E: error::Error + Send + Sync + 'static,
{
    let kind = match errno(&error) {
        Some(libc::EPERM | libc::EACCES) => Kind::NotPermitted,
        Some(libc::ENOSYS | libc::EOPNOTSUPP | libc::ENODEV) => Kind::Unsupported,
        Some(_) | None => Kind::Failed,
    };
    let is_read_only = errno(&error) == Some(libc::EROFS);
    let error = Error::from(anyhow::Error::new(error)).with_kind(kind).context(doing);
    if is_read_only {
        return error.hint("make it writable: mount -o remount,rw /sys/fs/bpf");
    }
    error
}

#[cfg(test)]
mod tests {
    use aya::programs::ProgramError;
    use aya::sys::SyscallError;

    use super::*;

    fn syscall(code: i32) -> ProgramError {
        let io_error = io::Error::from_raw_os_error(code);
        ProgramError::SyscallError(SyscallError { call: "bpf_link_create", io_error })
    }

    #[test]
    fn the_number_decides_the_kind() {
        for (code, kind) in [
            (libc::EPERM, Kind::NotPermitted),
            (libc::ENOSYS, Kind::Unsupported),
            (libc::E2BIG, Kind::Failed),
        ] {
            assert_eq!(errno(&syscall(code)), Some(code));
            assert_eq!(refused(syscall(code), "attaching").kind(), kind);
        }
        assert_eq!(errno(&ProgramError::NotLoaded), None);
    }
}
