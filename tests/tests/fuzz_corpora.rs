//! What fuzzers begin with, and what they once found: every file of every target, without a fuzzer.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use throttle_tests::fuzz::{TARGETS, files};

#[test]
fn every_seed_and_regression_keeps_its_promise() {
    let mut broken = Vec::new();
    for target in TARGETS {
        for path in files(target.name).unwrap_or_else(|error| panic!("{error:#}")) {
            let bytes = fs::read(&path).expect("a file");
            if catch_unwind(AssertUnwindSafe(|| (target.check)(&bytes))).is_err() {
                broken.push(path);
            }
        }
    }
    assert!(broken.is_empty(), "what these files check does not hold: {broken:?}");
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
