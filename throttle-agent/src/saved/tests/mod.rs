//! What is saved comes back, whole, wherever saving is cut off.

mod cuts;
mod files;

use std::path::Path;

use super::*;
use crate::{
    config::Config,
    policy::{GroupRequest, LimitRequest, LinkLimit, Policy, RatesRequest},
};

fn rates(bits_per_second: u64) -> RatesRequest {
    RatesRequest { bits_per_second: Some(bits_per_second), ..Default::default() }
}

/// A limit on 10.NUMBER.0.0/16.
fn limit(number: u8, bits_per_second: u64) -> (Key, Entry) {
    let request = LimitRequest { down: rates(bits_per_second), ..Default::default() };
    let limit = request.check(format!("10.{number}.0.0/16").parse().unwrap()).unwrap().value;
    (Key::Limit(limit.key()), (&limit).into())
}

/// The limit of one host of 11.0.0.0/8.
fn host_limit(number: u32, bits_per_second: u64) -> (Key, Option<Entry>) {
    let request = LimitRequest { down: rates(bits_per_second), ..Default::default() };
    let prefix = std::net::Ipv4Addr::from(0x0b00_0000 + number);
    let limit = request.check(format!("{prefix}/32").parse().unwrap()).unwrap().value;
    (Key::Limit(limit.key()), Some((&limit).into()))
}

fn member(number: u8, group: &str) -> (Key, Entry) {
    let group = Some(group.parse().unwrap());
    let request = LimitRequest { down: rates(8_000), group, ..Default::default() };
    let limit = request.check(format!("10.{number}.0.0/16").parse().unwrap()).unwrap().value;
    (Key::Limit(limit.key()), (&limit).into())
}

fn group(name: &str, bits_per_second: u64) -> (Key, Entry) {
    let request = GroupRequest { down: rates(bits_per_second), ..Default::default() };
    let group = request.check(name.parse().unwrap()).unwrap().value;
    (Key::Group(group.name.clone()), (&group).into())
}

fn open(directory: &Path) -> Store {
    Store::open(Origin::default(), None, Some(directory)).unwrap()
}

fn put(store: &mut Store, (key, entry): (Key, Entry)) {
    let pending = store.begin(vec![(key, Some(entry))]).unwrap();
    store.settle(pending);
}

fn delete(store: &mut Store, key: Key) {
    let pending = store.begin(vec![(key, None)]).unwrap();
    store.settle(pending);
}

fn take_file(store: &mut Store, text: &str) {
    let config = Config::parse(text, Path::new("a.toml")).unwrap();
    let pending = store.begin_file(&config, 64).unwrap();
    store.settle(pending);
}

/// The policy in words, sorted.
fn words(store: &Store) -> Vec<String> {
    let Policy { limits, groups, links } = store.policy(&["eth1".to_owned()]);
    let mut words: Vec<_> =
        limits.iter().map(|limit| format!("{} {}", limit.prefix, limit.down)).collect();
    words.extend(groups.iter().map(|group| format!("{} {}", group.name, group.down)));
    words.extend(links.iter().map(|(name, link)| format!("{name} {}", link.down)));
    words.sort();
    words
}

const FILE: &str = "[[link]]\ninterface = \"eth*\"\ndown = \"1gbit\"\n\
                    [[group]]\nname = \"acme\"\ndown = \"8mbit\"\n\
                    [[limit]]\nprefix = \"10.1.0.0/16\"\ndown = \"8mbit\"\ngroup = \"acme\"\n\
                    [[limit]]\nprefix = \"10.2.0.0/16\"\ndown = \"8mbit\"\n";

#[test]
fn changes_outlive_the_process_and_stand_above_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state/default");
    let mut store = open(&path);
    assert!(!store.is_told());
    take_file(&mut store, FILE);
    assert!(!path.exists(), "nothing was changed, so nothing is saved");
    put(&mut store, limit(2, 16_000_000));
    put(&mut store, limit(3, 24_000_000));
    delete(&mut store, limit(1, 8_000).0);
    put(&mut store, (Key::Link("eth1".into()), (&LinkLimit::default()).into()));
    let expected = [
        "10.2.0.0/16 16mbit burst 500000b",
        "10.3.0.0/16 24mbit burst 750000b",
        "acme 8mbit burst 250000b",
        "eth1 -",
    ];
    assert_eq!(words(&store), expected);
    let mut again = open(&path);
    assert!(again.is_told());
    take_file(&mut again, FILE);
    assert_eq!(words(&again), expected);
}

#[test]
fn what_is_as_in_the_file_again_is_no_change() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    take_file(&mut store, FILE);
    let before = words(&store);
    put(&mut store, limit(2, 16_000_000));
    put(&mut store, limit(2, 8_000_000));
    assert_eq!(words(&store), before);
    let mut again = open(directory.path());
    take_file(&mut again, &FILE.replace("8mbit", "4mbit"));
    assert!(words(&again).contains(&"10.2.0.0/16 4mbit burst 125000b".to_owned()));
}

#[test]
fn the_file_wins_where_it_has_changed_since() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    take_file(&mut store, FILE);
    put(&mut store, limit(2, 16_000_000));
    put(&mut store, limit(3, 24_000_000));
    take_file(
        &mut store,
        &FILE.replace(
            "prefix = \"10.2.0.0/16\"\ndown = \"8mbit\"",
            "prefix = \"10.2.0.0/16\"\ndown = \"4mbit\"",
        ),
    );
    let found = words(&store);
    assert!(found.contains(&"10.2.0.0/16 4mbit burst 125000b".to_owned()), "{found:?}");
    assert!(found.contains(&"10.3.0.0/16 24mbit burst 750000b".to_owned()), "{found:?}");
    let mut again = open(directory.path());
    take_file(&mut again, FILE);
    assert!(
        words(&again).contains(&"10.2.0.0/16 8mbit burst 250000b".to_owned()),
        "dropped for good"
    );
}

#[test]
fn no_limit_is_left_without_its_group() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    take_file(&mut store, FILE);
    put(&mut store, member(5, "acme"));
    put(&mut store, group("late", 8_000));
    put(&mut store, member(6, "late"));
    let without = "[[limit]]\nprefix = \"10.2.0.0/16\"\ndown = \"8mbit\"\n";
    take_file(&mut store, without);
    let found = words(&store);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[1].starts_with("10.6.0.0/16") && found[2].starts_with("late"), "{found:?}");

    let mut store = open(directory.path().join("other").as_path());
    take_file(&mut store, "[[group]]\nname = \"acme\"\ndown = \"8mbit\"\n");
    delete(&mut store, group("acme", 8_000).0);
    assert_eq!(words(&store).len(), 0);
    take_file(&mut store, FILE);
    assert!(words(&store).iter().any(|word| word.starts_with("acme")));
}

#[test]
fn a_whole_policy_is_a_change_of_all_that_differs() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    take_file(&mut store, FILE);
    put(&mut store, limit(9, 8_000));
    let attached = ["eth1".to_owned()];
    let mut wanted = store.policy(&attached);
    wanted.limits.retain(|limit| limit.prefix.to_string() != "10.1.0.0/16");
    wanted.links.clear();
    let edits = store.edits(&wanted, &attached);
    let pending = store.begin(edits).unwrap();
    store.settle(pending);
    assert_eq!(store.policy(&attached).limits, wanted.limits);
    assert_eq!(words(&store).last().unwrap(), "eth1 -");
    assert_eq!(words(&open_with_file(directory.path())), words(&store));
}

fn open_with_file(directory: &Path) -> Store {
    let mut store = open(directory);
    take_file(&mut store, FILE);
    store
}

#[test]
fn what_is_refused_is_taken_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    put(&mut store, limit(1, 8_000));
    let before = words(&store);
    // A line, and a snapshot.
    for count in [1, 500] {
        let many = (0..count).map(|number| host_limit(number, 8_000));
        let pending = store.begin(many.collect()).unwrap();
        store.undo(pending);
        assert_eq!(words(&store), before);
        assert_eq!(words(&open(directory.path())), before);
    }
    put(&mut store, limit(2, 8_000));
    assert_eq!(words(&open(directory.path())), words(&store));
}

#[test]
fn nothing_is_left_once_it_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state/default");
    let mut store = open(&path);
    put(&mut store, limit(1, 8_000));
    store.remove().unwrap();
    assert!(!directory.path().join("state").exists());
    remove(&path).unwrap();
}

#[test]
fn a_journal_becomes_a_snapshot_before_it_is_large() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    for round in 0..40 {
        let limits = (0..200).map(|number: u32| host_limit(number, 8_000 + round));
        let pending = store.begin(limits.collect()).unwrap();
        store.settle(pending);
    }
    let journal = std::fs::metadata(directory.path().join("changes.journal")).unwrap().len();
    assert!(journal < 2 << 20, "{journal}");
    assert!(directory.path().join("changes.json").exists());
    assert_eq!(words(&open(directory.path())), words(&store));
}
