//! What keys do.

use super::*;
use crate::{telemetry::HostSort, top::keys::HELP};

#[test]
fn keys_order_the_hosts() {
    let mut shown = Shown::with_hosts();
    let v6 = "2001:db8:0:7::~";
    for (key, names) in [
        ('d', ["10.0.0.7", "10.0.0.8", v6]),
        ('u', ["10.0.0.8", "10.0.0.7", v6]),
        ('e', ["10.0.0.7", "10.0.0.8", v6]),
        ('p', ["10.0.0.8", "10.0.0.7", v6]),
        ('n', ["10.0.0.7", "10.0.0.8", v6]),
    ] {
        shown.type_in(&key.to_string());
        assert_eq!(shown.names(), names, "{key}");
    }
    shown.type_in("d");
    let mut words = Vec::new();
    for _ in 0..5 {
        shown.type_in("s");
        words.push(shown.lines()[0].rsplit_once(' ').unwrap().1.to_owned());
    }
    assert_eq!(words, ["up", "excess", "use", "name", "down"]);
}

#[test]
fn the_agent_is_asked_for_what_is_shown() {
    let mut shown = Shown::with_hosts();
    assert_eq!(shown.state.wanted(), Wanted::default());
    shown.type_in("e/10.0.0.99");
    let wanted = shown.state.wanted();
    assert_eq!((wanted.sort, wanted.host), (HostSort::Excess, "10.0.0.99".parse().ok()));
    shown.press(KeyCode::Esc);
    shown.press(KeyCode::End);
    shown.press(KeyCode::Enter);
    assert_eq!(shown.state.wanted().detail, "2001:db8:0:7::".parse().ok());
}

#[test]
fn a_filter_works_while_it_is_typed_and_is_cleared_by_escape() {
    let mut shown = Shown::with_hosts();
    shown.type_in("/2001");
    assert_eq!(shown.names().len(), 1);
    assert_eq!(shown.lines()[23], "filter: 2001_   Enter keeps it, Esc clears it");
    assert_eq!(shown.press(KeyCode::Enter), Step::Go);
    assert!(shown.lines()[0].contains("filter 2001"));
    assert!(shown.lines()[23].starts_with("q quit"));
    assert_eq!(shown.press(KeyCode::Esc), Step::Go);
    assert_eq!(shown.names().len(), 3);
    shown.type_in("/q10.9");
    assert!(shown.lines()[3].contains("nothing matches"));
    for _ in 0.."q10.9".len() {
        shown.press(KeyCode::Backspace);
    }
    shown.type_in("10.0.0.8/31");
    assert_eq!(shown.names(), ["10.0.0.8"]);
}

#[test]
fn what_is_frozen_can_be_ordered_and_thaws() {
    let mut shown = Shown::with_hosts();
    shown.type_in("f");
    shown.second(vec![]);
    assert!(shown.lines()[0].contains("FROZEN"));
    shown.type_in("u");
    assert_eq!(shown.names()[0], "10.0.0.8");
    shown.type_in("f");
    shown.second(vec![]);
    assert!(shown.lines()[3].contains("no host yet"));
}

#[test]
fn enter_explains_a_host_and_goes_back() {
    let mut shown = Shown::with_hosts();
    shown.press(KeyCode::Down);
    shown.press(KeyCode::Enter);
    let lines = shown.lines();
    assert_eq!((lines[2].as_str(), lines[4].as_str()), ("host 10.0.0.8", "asking the agent"));
    let mut answer = facts(9, shown.start, vec![]);
    answer.detail = Some(Ok(explained(host("10.0.0.8", 3_000_000, 0, 5))));
    shown.state.update(Update::Facts(Box::new(answer)));
    let text = shown.lines().join("\n");
    assert!(text.contains("Wait at all levels") && text.contains("3.00mbit"), "{text}");
    let mut answer = facts(10, shown.start, vec![host("10.0.0.7", 1, 1, 0)]);
    answer.detail = Some(Err("host 10.0.0.8 is not known".into()));
    shown.state.update(Update::Facts(Box::new(answer)));
    assert!(shown.lines().join("\n").contains("is not known"));
    assert_eq!(shown.press(KeyCode::Esc), Step::Go);
    assert_eq!(shown.names(), ["10.0.0.7"]);
}

#[test]
fn the_selected_host_stays_selected_and_on_the_screen() {
    let mut shown = Shown::new(80, 14);
    let hosts = |first: u64| -> Vec<_> {
        (0..50).map(|n| host(&format!("10.0.0.{n}"), 0, (first + n) % 50, 0)).collect()
    };
    shown.second(hosts(0));
    assert_eq!(shown.names().len(), 10);
    shown.press(KeyCode::End);
    assert_eq!(shown.names().last().unwrap(), "10.0.0.0");
    shown.press(KeyCode::PageUp);
    let selected = shown.state.selected.clone().unwrap();
    for first in 1..50 {
        shown.second(hosts(first));
        assert_eq!(shown.state.selected.as_ref(), Some(&selected));
        assert!(shown.names().contains(&selected), "{first}");
    }
    shown.press(KeyCode::Home);
    assert_eq!(shown.state.selected, None);
    assert_eq!(shown.names()[0], shown.state.rows[0].name);
}

#[test]
fn limits_are_shown_with_what_they_carry() {
    let mut shown = Shown::with_hosts();
    shown.type_in("l");
    let lines = shown.lines();
    assert!(lines[2].starts_with("NAME") && !lines[0].contains("by "), "{lines:?}");
    assert!(lines[3].starts_with("link eth1 ") && lines[3].contains("10.9mbit"), "{lines:?}");
    assert!(lines[4].starts_with("group acme") && lines[4].contains(" 50% "), "{lines:?}");
    assert!(lines[5].starts_with("0.0.0.0/0") && lines[5].contains("2mbit/10mbit"), "{lines:?}");
    // A bucket for each host: the sum of all is no share of the rate.
    assert!(lines[5].contains("   - "), "{lines:?}");
    assert_eq!(shown.press(KeyCode::Esc), Step::Go);
    assert_eq!(shown.names()[0], "10.0.0.7");
}

#[test]
fn help_names_every_key_that_does_something() {
    let mut shown = Shown::with_hosts();
    shown.type_in("?");
    let text = shown.lines().join("\n");
    for word in ["quit", "order", "filter", "freeze", "explain", "limits", "suspend", "move"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    for (keys, words) in HELP {
        assert!(text.contains(keys) && text.contains(words), "{keys}: {text}");
    }
    assert!(text.contains("packets that found no room."), "{text}");
    assert_eq!(shown.press(KeyCode::Esc), Step::Go);
    assert_eq!(shown.names().len(), 3);
}

#[test]
fn the_end_is_a_key_away() {
    for code in [KeyCode::Char('q'), KeyCode::Esc] {
        assert_eq!(Shown::with_hosts().press(code), Step::Quit);
    }
    let control = |letter| Update::Key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL));
    let mut shown = Shown::with_hosts();
    shown.type_in("/q");
    assert_eq!(shown.state.update(control('c')), Step::Quit);
    let mut shown = Shown::with_hosts();
    assert_eq!(shown.state.update(control('z')), Step::Suspend);
    assert_eq!(shown.state.update(Update::NoTerminal), Step::Quit);
}
