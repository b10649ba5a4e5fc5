//! What fuzzers begin with, and what they once found: every file of every target, and what random damage makes
//! of them, without a fuzzer.

use std::fs;
use std::panic::catch_unwind;

use throttle_tests::fuzz::{TARGETS, files};
use throttle_tests::random::{self, Random};
use throttle_tests::restrict::is_full;

/// Damaged inputs of each target, and in a run that has time.
const DAMAGED: u32 = 2_000;
const DAMAGED_IN_FULL: u32 = 50_000;
/// What the first target's damage is drawn from; the next target has the next number.
const SEED: u64 = 20_260_601;

#[test]
fn every_seed_and_regression_keeps_its_promise() {
    let mut broken = Vec::new();
    for target in TARGETS {
        for path in files(target.name).unwrap_or_else(|error| panic!("{error:#}")) {
            let bytes = fs::read(&path).expect("a file");
            if catch_unwind(|| (target.check)(&bytes)).is_err() {
                broken.push(path);
            }
        }
    }
    assert!(broken.is_empty(), "what these files check does not hold: {broken:?}");
}

#[test]
fn damaged_seeds_keep_their_promise() {
    let times = if is_full() { DAMAGED_IN_FULL } else { DAMAGED };
    let mut found = Vec::new();
    let seed = random::seed(SEED);
    for (number, target) in (0..).zip(TARGETS) {
        let mut random = Random::new(seed.wrapping_add(number));
        let files = files(target.name).unwrap_or_else(|error| panic!("{error:#}"));
        let seeds: Vec<_> = files.iter().map(|path| fs::read(path).expect("a file")).collect();
        let mut inputs = (0..times).map(|_| damaged(&mut random, &seeds));
        let breaks = |bytes: &Vec<u8>| catch_unwind(|| (target.check)(bytes)).is_err();
        if let Some(bytes) = inputs.find(breaks) {
            found.push(format!("{}: {}", target.name, bytes.escape_ascii()));
        }
    }
    assert!(found.is_empty(), "what breaks a promise:\n{}", found.join("\n"));
}

/// A seed of which some bytes are changed, removed, doubled, or taken from another one.
fn damaged(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[random.index(seeds.len())].clone();
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            break;
        }
        let (from, other) = (random.index(bytes.len()), &seeds[random.index(seeds.len())]);
        let to = (from + random.index(16)).min(bytes.len());
        match random.below(6) {
            0 => bytes[from] = random.byte(),
            1 => bytes[from] ^= 1 << random.below(8),
            2 => drop(bytes.drain(from..to)),
            3 => drop(bytes.splice(from..from, bytes[from..to].to_vec())),
            4 => bytes.truncate(from),
            _ => {
                let start = random.index(other.len());
                let end = (start + random.index(40)).min(other.len());
                bytes.splice(from..to, other[start..end].to_vec());
            }
        }
    }
    bytes
}

#[test]
fn every_target_is_one_of_the_fuzzer_and_every_folder_one_of_a_target() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz");
    let manifest = fs::read_to_string(format!("{root}/Cargo.toml")).expect("the manifest");
    for folder in ["seeds", "regressions"].map(|kind| format!("{root}/{kind}")) {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().expect("a name");
            assert!(TARGETS.iter().any(|target| target.name == name), "{folder}/{name}");
        }
    }
    let built = manifest.lines().filter(|line| *line == "[[bin]]").count();
    assert_eq!(built, TARGETS.len(), "binaries of {root}/Cargo.toml");
    for target in TARGETS {
        assert!(manifest.contains(&format!("name = \"{}\"", target.name)), "{}", target.name);
        let source = fs::read_to_string(format!("{root}/targets/{}.rs", target.name));
        let source = source.expect("its source");
        assert!(source.contains(&format!("check(\"{}\", bytes)", target.name)), "{source}");
    }
}
