//! The saved changes: a journal and a snapshot.
//!
//! Input: bytes of both files, apart by a zero byte. A line of `~` and JSON stands for the same JSON behind its
//! sum, which no fuzzer would guess.

use std::cell::OnceCell;
use std::fs;
use std::path::Path;

use throttle_agent::policy::Policy;
use throttle_agent::saved::{Origin, Store};

use crate::folder::Folder;

/// Cuts of a journal that are tried.
const CUTS: usize = 16;

pub(super) fn check(bytes: &[u8]) {
    let (journal, snapshot) = match bytes.iter().position(|byte| *byte == 0) {
        Some(at) => (summed(&bytes[..at]), Some(summed(&bytes[at + 1..]))),
        None => (summed(bytes), None),
    };
    with_folder(|folder| check_files(folder, &journal, snapshot.as_deref()));
}

fn check_files(folder: &Path, journal: &[u8], snapshot: Option<&[u8]>) {
    let file = |name: &str| folder.join(name);
    let write = |name: &str, bytes: &[u8]| fs::write(file(name), bytes).expect("a file");
    match snapshot {
        Some(bytes) => write("changes.json", bytes),
        None => drop(fs::remove_file(file("changes.json"))),
    }
    write("changes.journal", journal);
    let Some(whole) = read(folder) else { return };
    let on_disk = fs::read(file("changes.journal")).expect("the journal");
    assert_eq!(on_disk, journal, "reading writes nothing");
    // What was sound is sound when it is torn off anywhere.
    for number in 0..CUTS {
        let cut = journal.len() * number / CUTS;
        write("changes.journal", &journal[..cut]);
        assert!(read(folder).is_some(), "the journal cut after {cut} bytes");
    }
    // A line that the snapshot or an earlier line has already is left out.
    if is_whole(journal) {
        write("changes.journal", &[journal, journal].concat());
        assert_eq!(read(folder), Some(whole), "the journal twice");
    }
}

/// The policy of a folder; `None` where it is damaged, which is told with what to do.
fn read(folder: &Path) -> Option<(Policy, usize)> {
    match Store::open(Origin::default(), None, Some(folder)) {
        Ok(store) => Some((store.policy(&["eth0".to_owned()]), store.specs().len())),
        Err(error) => {
            let words = error.to_string();
            assert!(words.contains(&folder.display().to_string()), "{words}");
            assert!(error.hint_text().is_some(), "{words}: no hint");
            None
        }
    }
}

/// The bytes with the sum of each line that begins with `~`.
fn summed(bytes: &[u8]) -> Vec<u8> {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let summed = lines.flat_map(|line| match line.strip_prefix(b"~") {
        None => line.to_vec(),
        Some(rest) => {
            let json = rest.strip_suffix(b"\n").unwrap_or(rest);
            [format!("{:016x} ", fnv_1a(json)).as_bytes(), rest].concat()
        }
    });
    summed.collect()
}

/// FNV-1a over 64 bits, as its authors give it.
fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(14_695_981_039_346_656_037, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(1_099_511_628_211)
    })
}

/// Whether every line is whole and has its sum.
fn is_whole(journal: &[u8]) -> bool {
    journal.split_inclusive(|byte| *byte == b'\n').all(|line| {
        let json = line.get(17..).and_then(|rest| rest.strip_suffix(b"\n"));
        json.is_some_and(|json| line.starts_with(format!("{:016x} ", fnv_1a(json)).as_bytes()))
    })
}

/// Runs `run` in a folder of this thread's.
fn with_folder(run: impl FnOnce(&Path)) {
    thread_local! {
        static FOLDER: OnceCell<Folder> = const { OnceCell::new() };
    }
    FOLDER.with(|folder| run(folder.get_or_init(|| Folder::new().expect("a folder")).path()));
}
