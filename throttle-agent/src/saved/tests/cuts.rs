//! Saving that is cut off: after every byte, and after every step.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    files::{Failing, Fault},
    *,
};
use crate::saved::disk::Saved;

#[test]
fn a_journal_cut_anywhere_gives_a_state_that_there_was() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let journal = directory.path().join("changes.journal");
    let mut states = vec![(0, words(&store))];
    for number in 1..6 {
        put(&mut store, limit(number, 8_000_000));
        states.push((fs::metadata(&journal).unwrap().len(), words(&store)));
    }
    let whole = fs::read(&journal).unwrap();
    for cut in 0..=whole.len() {
        fs::write(&journal, &whole[..cut]).unwrap();
        let mut again = open(directory.path());
        let (_, expected) = states.iter().rev().find(|(end, _)| *end <= cut as u64).unwrap();
        assert_eq!(&words(&again), expected, "cut after {cut} bytes");
        // What follows a torn line is found again.
        put(&mut again, limit(99, 8_000_000));
        assert_eq!(words(&open(directory.path())), words(&again), "cut after {cut} bytes");
    }
}

#[test]
fn damage_before_the_last_line_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    (1..4).for_each(|number| put(&mut store, limit(number, 8_000_000)));
    let journal = directory.path().join("changes.journal");
    let mut bytes = fs::read(&journal).unwrap();
    bytes[40] ^= 1;
    fs::write(&journal, bytes).unwrap();
    let error = Store::open(Origin::default(), None, Some(directory.path())).err().unwrap();
    assert!(error.to_string().starts_with("reading the journal of saved changes in "), "{error}");
    assert!(error.hint_text().unwrap().contains("remove it"), "{error:?}");
}

#[test]
fn a_whole_last_line_that_cannot_be_read_is_told_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    put(&mut store, limit(1, 8_000_000));
    let journal = directory.path().join("changes.journal");
    let mut bytes = fs::read(&journal).unwrap();
    // As an agent writes it that knows more kinds of changes.
    bytes.extend(b"cf6960e577e0ab5f {\"number\":2,\"changes\":[{\"tariff\":{}}]}\n");
    fs::write(&journal, &bytes).unwrap();
    let error = Store::open(Origin::default(), None, Some(directory.path())).err().unwrap();
    assert!(error.to_string().contains("tariff"), "{error}");
    assert_eq!(fs::read(&journal).unwrap(), bytes);
}

/// Many limits, so that they make a snapshot.
fn many(bits_per_second: u64) -> Vec<(Key, Option<Entry>)> {
    (0..201).map(|number| host_limit(number, bits_per_second)).collect()
}

fn one(number: u8) -> Vec<(Key, Option<Entry>)> {
    let (key, entry) = limit(number, 8_000_000);
    vec![(key, Some(entry))]
}

#[test]
fn what_was_in_force_and_could_not_be_saved_is_saved_with_the_next_change() {
    let directory = tempfile::tempdir().unwrap();
    let mut in_force = Store::default();
    put(&mut in_force, limit(1, 8_000_000));
    put(&mut in_force, limit(2, 8_000_000));
    let files = Box::new(Failing { steps: Arc::default(), fault: Fault::Refusal });
    let (saved, _) = Saved::open_with(directory.path(), files).unwrap();
    let mut store = Store::saving_in(saved);
    assert!(store.take_over(&in_force.policy(&[])).is_err());
    assert_eq!(words(&store), words(&in_force));
    put(&mut store, limit(3, 8_000_000));
    put(&mut in_force, limit(3, 8_000_000));
    assert_eq!(words(&open(directory.path())), words(&in_force));
}

/// Makes changes of both kinds until a step fails; the kernel refuses every third. Returns the states before
/// and after the change during which that was, and the store.
fn work(path: &Path, steps: usize, fault: Fault) -> (Vec<String>, Vec<String>, Store) {
    let steps = Arc::new(AtomicUsize::new(steps));
    let files = Box::new(Failing { steps: Arc::clone(&steps), fault });
    let (saved, _) = Saved::open_with(path, files).unwrap();
    let mut store = Store::saving_in(saved);
    let mut mirror = Store::default();
    let changes = [
        one(1),
        one(2),
        many(8_000),
        one(3),
        many(9_000),
        many(10_000),
        one(4),
        one(5),
        many(8_000),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let before = words(&mirror);
        let mirrored = mirror.begin(change.clone()).unwrap();
        let after = words(&mirror);
        match store.begin(change) {
            Ok(pending) if number % 3 == 2 => {
                store.undo(pending);
                mirror.undo(mirrored);
                assert_eq!(words(&store), before);
                if fault == Fault::Crash && steps.load(Ordering::Relaxed) == 0 {
                    return (before, after, store);
                }
            }
            Ok(pending) => {
                store.settle(pending);
                mirror.settle(mirrored);
                assert_eq!(words(&store), after);
            }
            Err(error) => {
                assert_eq!(words(&store), before, "{error}");
                assert!(error.to_string().starts_with("saving the change in "), "{error}");
                return (before, after, store);
            }
        }
    }
    // No step is left to fail.
    steps.store(usize::MAX, Ordering::Relaxed);
    let end = words(&store);
    (end.clone(), end, store)
}

#[test]
fn a_crash_after_any_step_leaves_the_old_state_or_the_new_one() {
    for steps in 0..40 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let (old, new, _) = work(&path, steps, Fault::Crash);
        let found = words(&open(&path));
        assert!(found == old || found == new, "{steps} steps: {found:?}");
    }
}

#[test]
fn a_step_that_fails_refuses_the_change_and_later_ones_are_saved() {
    for steps in 0..40 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let (_, _, mut store) = work(&path, steps, Fault::Refusal);
        put(&mut store, limit(77, 8_000_000));
        assert_eq!(words(&open(&path)), words(&store), "{steps} steps");
    }
}
