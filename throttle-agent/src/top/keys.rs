//! What keys mean.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::row::Sort;

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// The end, or the end of what is open.
    Leave,
    /// The end, whatever is open.
    Quit,
    /// To be put in the background.
    Suspend,
    /// Another line, so many further down.
    Lines(isize),
    /// A line so many screens further down.
    Screens(isize),
    First,
    Last,
    /// The next order.
    NextSort,
    /// This order.
    Sort(Sort),
    /// To type a filter.
    Filter,
    Freeze,
    /// All about the line.
    Open,
    /// Limits instead of hosts, or the other way round.
    Limits,
    Help,
}

/// What a key means while a list is shown.
#[expect(clippy::wildcard_enum_match_arm, reason = "most keys mean nothing here")]
pub(super) fn asked(key: KeyEvent) -> Option<Asked> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Asked::Quit),
            KeyCode::Char('z') => Some(Asked::Suspend),
            _ => None,
        };
    }
    Some(match key.code {
        KeyCode::Char('q') => Asked::Quit,
        KeyCode::Esc => Asked::Leave,
        KeyCode::Up | KeyCode::Char('k') => Asked::Lines(-1),
        KeyCode::Down | KeyCode::Char('j') => Asked::Lines(1),
        KeyCode::PageUp => Asked::Screens(-1),
        KeyCode::PageDown | KeyCode::Char(' ') => Asked::Screens(1),
        KeyCode::Home => Asked::First,
        KeyCode::End => Asked::Last,
        KeyCode::Char('s') => Asked::NextSort,
        KeyCode::Char('d') => Asked::Sort(Sort::Down),
        KeyCode::Char('u') => Asked::Sort(Sort::Up),
        KeyCode::Char('e') => Asked::Sort(Sort::Excess),
        KeyCode::Char('p') => Asked::Sort(Sort::Use),
        KeyCode::Char('n') => Asked::Sort(Sort::Name),
        KeyCode::Char('/') => Asked::Filter,
        KeyCode::Char('f') => Asked::Freeze,
        KeyCode::Enter => Asked::Open,
        KeyCode::Char('l') => Asked::Limits,
        KeyCode::Char('?' | 'h') | KeyCode::F(1) => Asked::Help,
        _ => return None,
    })
}

/// The keys and what they do, for the help.
pub(super) const HELP: &[(&str, &str)] = &[
    ("q, Esc", "quit; Esc first closes what is open"),
    ("arrows, PgUp, PgDn, Home, End", "move"),
    ("s", "next order: down, up, excess, use, name"),
    ("d u e p n", "order by down, up, excess, percent, name"),
    ("/", "filter: an address, a prefix, or letters"),
    ("f", "freeze, and go on"),
    ("Enter", "explain the host: its limit, counters and wait"),
    ("l", "limits, groups and links instead of hosts"),
    ("Ctrl-Z", "suspend; fg goes on"),
    ("?", "this help"),
];
