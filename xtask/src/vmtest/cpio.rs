//! Writes cpio archives in the "newc" format that the kernel unpacks as its first root
//! (Documentation/driver-api/early-userspace/buffer-format.rst).

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

const DIRECTORY: u32 = 0o040_755;
const FILE: u32 = 0o100_000;

/// An archive that is being written. Folders are made as files need them.
pub(super) struct Archive<W> {
    out: W,
    written_bytes: usize,
    entries: u32,
    directories: BTreeSet<String>,
}

impl<W: Write> Archive<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, written_bytes: 0, entries: 0, directories: BTreeSet::new() }
    }

    /// Copies the file `source`, following links, with its permissions to the absolute `path`.
    pub(super) fn copy(&mut self, path: &str, source: &Path) -> Result<()> {
        let doing = || format!("packing {}", source.display());
        let permissions = fs::metadata(source).with_context(doing)?.permissions().mode() & 0o777;
        let content = fs::read(source).with_context(doing)?;
        self.file(path, permissions, &content).with_context(doing)
    }

    /// Adds a file at the absolute `path`.
    pub(super) fn file(&mut self, path: &str, permissions: u32, content: &[u8]) -> io::Result<()> {
        let parents = path.match_indices('/').skip(1).map(|(end, _)| &path[..end]);
        for parent in parents {
            self.directory(parent)?;
        }
        self.entry(path.trim_start_matches('/'), FILE | permissions, content)
    }

    /// Adds a folder at the absolute `path`, once.
    pub(super) fn directory(&mut self, path: &str) -> io::Result<()> {
        if self.directories.insert(path.to_owned()) {
            self.entry(path.trim_start_matches('/'), DIRECTORY, &[])?;
        }
        Ok(())
    }

    /// Ends the archive.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.entry("TRAILER!!!", 0, &[])?;
        self.out.flush()
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        self.entries += 1;
        let bytes = u32::try_from(content.len()).map_err(io::Error::other)?;
        // inode, mode, user, group, links, time, size, device, special device, name with its zero, checksum
        let fields = [self.entries, mode, 0, 0, 1, 0, bytes, 0, 0, 0, 0, name.len() as u32 + 1, 0];
        self.put(b"070701")?;
        for field in fields {
            self.put(format!("{field:08x}").as_bytes())?;
        }
        self.put(name.as_bytes())?;
        self.put(&[0])?;
        self.align()?;
        self.put(content)?;
        self.align()
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written_bytes += bytes.len();
        self.out.write_all(bytes)
    }

    /// Names and contents end at a multiple of four.
    fn align(&mut self) -> io::Result<()> {
        let rest = self.written_bytes.next_multiple_of(4) - self.written_bytes;
        self.put(&[0; 4][..rest])
    }
}

#[cfg(test)]
mod tests {
    use super::Archive;

    #[test]
    fn entries_are_aligned_and_folders_come_first_and_once() {
        let mut out = Vec::new();
        let mut archive = Archive::new(&mut out);
        archive.file("/bin/a", 0o755, b"12345").unwrap();
        archive.file("/bin/bc", 0o644, b"").unwrap();
        archive.finish().unwrap();
        assert_eq!(out.len() % 4, 0);
        let starts: Vec<_> =
            (0..out.len()).step_by(4).filter(|&at| out[at..].starts_with(b"070701")).collect();
        let names = starts.iter().map(|start| {
            let name = out[start + 110..].split(|byte| *byte == 0).next().unwrap();
            str::from_utf8(name).unwrap()
        });
        assert_eq!(Vec::from_iter(names), ["bin", "bin/a", "bin/bc", "TRAILER!!!"]);
        let file = &out[starts[1]..];
        assert_eq!(&file[14..22], b"000081ed");
        assert_eq!(&file[54..62], b"00000005");
        assert_eq!(&file[94..102], b"00000006");
        assert_eq!(&file[116..124], b"12345\0\0\0");
    }
}
