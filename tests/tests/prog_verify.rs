//! What the verifier makes of the program that ships: as much work as is on record, a stack that every kernel accepts,
//! and no privilege beyond three.

use std::sync::LazyLock;

use throttle_common::abi::Hook;
use throttle_tests::guest::tell;
use throttle_tests::prog::{Program, sound};
use throttle_tests::require_root;
use throttle_tests::restrict::skip;
use throttle_tests::verify;
use throttle_tests::verify::record::{Entry, RECORDING, Record, Verification};

/// What the verifier made of the program on each series of kernels.
const RECORD: &str = include_str!("../verifier.json");

/// What it makes of it here, loaded by root.
static FOUND: LazyLock<Verification> = LazyLock::new(|| verify::run().unwrap());

#[test]
fn neither_the_stack_nor_the_work_of_the_verifier_grows_unnoticed() {
    require_root!();
    tell("verified", &*FOUND).unwrap();
    let record = Record::parse(RECORD).unwrap();
    let is_recording = std::env::var_os(RECORDING).is_some();
    let faults = record.faults(&FOUND, is_recording);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    if let Some(lack) = record.lack(&FOUND).filter(|_| !is_recording) {
        skip(&lack);
    }
}

#[test]
fn what_is_verified_is_what_the_agent_loads() {
    require_root!();
    let mut program = Program::open(1024);
    assert_eq!(FOUND.entries.len(), 2, "an entry point for each hook");
    for (hook, entry) in [Hook::Ingress, Hook::Egress].into_iter().zip(&FOUND.entries) {
        let info = sound(program.datapath().classifier(hook)).info().unwrap();
        assert_eq!(info.name_as_str(), Some(entry.name.as_str()));
        assert_eq!(info.verified_instruction_count().map(u64::from), Some(entry.instructions));
        assert_eq!(info.size_translated(), Some(entry.translated_bytes));
        assert_eq!(info.size_jitted(), entry.jited_bytes);
    }
}

#[test]
fn three_capabilities_without_root_load_what_root_loads() {
    require_root!();
    let restricted = verify::run_with_least_privileges().unwrap();
    let loaded = |entry: &Entry| (entry.name.clone(), entry.translated_bytes);
    let loaded = |found: &Verification| found.entries.iter().map(loaded).collect::<Vec<_>>();
    assert_eq!(loaded(&restricted), loaded(&FOUND), "{}", restricted.privileges);
}
