//! What is known and what was asked for.

use std::time::Instant;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{
    Facts, Wanted,
    facts::address_of,
    keys::{Asked, asked},
    meter::{Meter, Tallies},
    row::{Rates, Row, Sort},
};
use crate::{
    policy::{LimitView, Match, Scope},
    telemetry::FlowView,
};

/// Lines that are no list: two at the top, the heads of columns, and the help.
const FRAME_LINES: u16 = 4;

/// Something new.
#[derive(Debug)]
pub enum Update {
    /// The agent answered.
    Facts(Box<Facts>),
    /// The agent does not answer, and why.
    Gone(String),
    /// A key was pressed.
    Key(KeyEvent),
    /// The terminal has another size.
    Redraw,
    /// The terminal is gone.
    NoTerminal,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// To draw, and to wait for what is new.
    Go,
    /// The end.
    Quit,
    /// To give the terminal back for a while.
    Suspend,
}

/// What covers the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cover {
    /// What keys do.
    Help,
    /// All about the host of this name.
    Host(String),
}

/// Which list is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum List {
    #[default]
    Hosts,
    Limits,
}

/// What is known and what was asked for.
#[derive(Debug, Default)]
pub struct State {
    pub(super) facts: Option<Facts>,
    /// Why the agent does not answer.
    pub(super) gone: Option<String>,
    pub(super) sort: Sort,
    pub(super) filter: String,
    /// Whether the filter is being typed.
    pub(super) typing: bool,
    pub(super) frozen: bool,
    pub(super) list: List,
    pub(super) cover: Option<Cover>,
    /// The lines of the list that is shown, filtered and in order.
    pub(super) rows: Vec<Row>,
    /// The line that is selected; with `None` it is the first, whoever that is.
    pub(super) selected: Option<String>,
    /// Number of the first line on the screen.
    pub(super) offset: usize,
    /// Lines of the list that there is room for.
    pub(super) room: usize,
    meter: Meter,
}

impl State {
    /// Nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self { room: 1, ..Self::default() }
    }

    /// Takes something new.
    pub fn update(&mut self, update: Update) -> Step {
        match update {
            Update::Facts(facts) => self.learn(*facts),
            Update::Gone(why) => self.gone = Some(why),
            Update::Key(key) => return self.press(key),
            Update::Redraw => {}
            Update::NoTerminal => return Step::Quit,
        }
        Step::Go
    }

    /// Makes room for the list on a screen of so many lines.
    pub fn resize(&mut self, lines: u16) {
        self.room = usize::from(lines.saturating_sub(FRAME_LINES)).max(1);
        self.scroll();
    }

    /// What the agent should be asked for.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        let detail = match &self.cover {
            Some(Cover::Host(name)) => address_of(name),
            Some(Cover::Help) | None => None,
        };
        Wanted { sort: self.sort.asked(), host: self.filter.parse().ok(), detail }
    }

    /// Number of the line that is selected.
    pub(super) fn cursor(&self) -> usize {
        let selected = self.selected.as_ref();
        let place = selected.and_then(|name| self.rows.iter().position(|row| row.name == *name));
        place.unwrap_or(0)
    }

    /// Packets per second of a name that found no room.
    pub(super) fn excess_of(&self, name: &str) -> Option<u64> {
        Some(self.meter.of(name)?.per_second?.excess)
    }

    fn learn(&mut self, facts: Facts) {
        self.gone = None;
        if facts.sample != Facts::UNMETERED {
            self.measure(&facts);
        }
        if self.frozen {
            // What is asked for by a key is shown all the same.
            if let Some(known) = &mut self.facts {
                known.detail = facts.detail;
            }
            return;
        }
        self.facts = Some(facts);
        self.arrange();
    }

    fn measure(&mut self, facts: &Facts) {
        let sample = (facts.sample, facts.at);
        let mut take = |name: String, up: &FlowView, down: &FlowView| {
            measure_one(&mut self.meter, name, sample, [up, down]);
        };
        for host in &facts.hosts {
            take(host.host.clone(), &host.up.flow, &host.down.flow);
        }
        for limit in &facts.stats.limits {
            take(limit.key().to_string(), &limit.up, &limit.down);
        }
        for group in &facts.stats.groups {
            take(format!("group {}", group.name), &group.up, &group.down);
        }
        for link in facts.stats.links.iter() {
            take(link_name(link.interface.as_deref()), &link.up, &link.down);
        }
        self.meter.forget(facts.sample);
    }

    /// Makes the lines anew, out of what is known.
    fn arrange(&mut self) {
        let Some(facts) = &self.facts else { return };
        let mut rows = match self.list {
            List::Hosts => self.hosts(facts),
            List::Limits => self.limits(facts),
        };
        if !self.filter.is_empty() {
            rows.retain(|row| row.matches(&self.filter));
        }
        if self.list == List::Hosts {
            rows.sort_by(|one, other| self.sort.compare(one, other));
        }
        self.rows = rows;
        self.scroll();
    }

    fn hosts(&self, facts: &Facts) -> Vec<Row> {
        let row = |host: &crate::telemetry::HostView| {
            let limit = host.limit.and_then(|prefix| facts.policy.limits.get(&prefix));
            let metered = self.meter.of(&host.host);
            let flows = [&host.up.flow, &host.down.flow];
            let also = host.group.as_ref().map(ToString::to_string).unwrap_or_default();
            Row { also, ..Row::new(host.host.clone(), flows, limit.map(rates), metered) }
        };
        facts.hosts.iter().map(row).collect()
    }

    /// Links, then groups, then limits. Whoever has a bucket has a use.
    fn limits(&self, facts: &Facts) -> Vec<Row> {
        let policy = &facts.policy;
        let links = facts.stats.links.iter().map(|link| {
            let name = link_name(link.interface.as_deref());
            let is_it = |known: &&crate::policy::LinkLimitView| {
                Some(known.interface.as_str()) == link.interface.as_deref()
            };
            let limit = policy.links.iter().find(is_it);
            let limit = limit.map(|limit| [limit.up, limit.down, limit.total]);
            let metered = self.meter.of(&name);
            let also = link.side.clone();
            Row { also, ..Row::new(name.clone(), [&link.up, &link.down], limit, metered) }
        });
        let groups = facts.stats.groups.iter().map(|group| {
            let name = format!("group {}", group.name);
            let limit = policy.groups.iter().find(|known| known.name == group.name);
            let limit = limit.map(|limit| [limit.up, limit.down, limit.total]);
            let metered = self.meter.of(&name);
            Row::new(name.clone(), [&group.up, &group.down], limit, metered)
        });
        let limits = facts.stats.limits.iter().map(|usage| {
            let name = usage.key().to_string();
            let of_hosts = (usage.matches == Match::Host).then_some(&usage.prefix);
            let limit = of_hosts.and_then(|prefix| policy.limits.get(prefix));
            let metered = self.meter.of(&name);
            let mut row =
                Row::new(name.clone(), [&usage.up, &usage.down], limit.map(rates), metered);
            if let Some(limit) = limit {
                row.also = limit_traits(limit);
                // Each host has a bucket of its own: the sum of all says nothing.
                row.used = row.used.filter(|_| limit.scope == Scope::Shared);
            }
            row
        });
        links.chain(groups).chain(limits).collect()
    }

    fn press(&mut self, key: KeyEvent) -> Step {
        if self.typing {
            return self.type_filter(key);
        }
        match asked(key) {
            None => {}
            Some(Asked::Quit) => return Step::Quit,
            Some(Asked::Leave) if self.cover.take().is_some() => {}
            Some(Asked::Leave) if !self.filter.is_empty() => self.set_filter(String::new()),
            Some(Asked::Leave) if self.list == List::Limits => self.show(List::Hosts),
            Some(Asked::Leave) => return Step::Quit,
            Some(Asked::Suspend) => return Step::Suspend,
            Some(Asked::Help) if self.cover == Some(Cover::Help) => self.cover = None,
            Some(Asked::Help) => self.cover = Some(Cover::Help),
            Some(Asked::Open) if self.cover.is_some() => self.cover = None,
            Some(Asked::Open) => self.open(),
            Some(Asked::Lines(lines)) => self.go(lines),
            Some(Asked::Screens(screens)) => self.go(screens * self.room as isize),
            Some(Asked::First) => self.selected = None,
            Some(Asked::Last) => self.go(self.rows.len() as isize),
            Some(Asked::NextSort) => self.order(self.sort.next()),
            Some(Asked::Sort(sort)) => self.order(sort),
            Some(Asked::Filter) => {
                self.cover = None;
                self.typing = true;
            }
            Some(Asked::Freeze) => self.frozen = !self.frozen,
            Some(Asked::Limits) => self.show(match self.list {
                List::Hosts => List::Limits,
                List::Limits => List::Hosts,
            }),
        }
        self.scroll();
        Step::Go
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "most keys mean nothing here")]
    fn type_filter(&mut self, key: KeyEvent) -> Step {
        let mut filter = self.filter.clone();
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return Step::Quit,
            KeyCode::Char('u') if control => filter.clear(),
            KeyCode::Char(letter) if !control => filter.push(letter),
            KeyCode::Backspace => drop(filter.pop()),
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                filter.clear();
            }
            _ => {}
        }
        self.set_filter(filter);
        Step::Go
    }

    fn set_filter(&mut self, filter: String) {
        self.filter = filter;
        self.arrange();
    }

    fn order(&mut self, sort: Sort) {
        self.sort = sort;
        self.arrange();
    }

    fn show(&mut self, list: List) {
        self.list = list;
        self.cover = None;
        self.selected = None;
        self.arrange();
    }

    fn open(&mut self) {
        if self.list != List::Hosts {
            return;
        }
        if let Some(row) = self.rows.get(self.cursor()) {
            self.cover = Some(Cover::Host(row.name.clone()));
            if let Some(facts) = &mut self.facts {
                facts.detail = None;
            }
        }
    }

    fn go(&mut self, lines: isize) {
        let last = self.rows.len().saturating_sub(1);
        let line = self.cursor().saturating_add_signed(lines).min(last);
        self.selected = self.rows.get(line).map(|row| row.name.clone());
    }

    /// Keeps the selected line on the screen, and the screen full.
    fn scroll(&mut self) {
        let cursor = self.cursor();
        let fullest = self.rows.len().saturating_sub(self.room);
        let least = (cursor + 1).saturating_sub(self.room);
        self.offset = self.offset.clamp(least, cursor.max(least)).min(fullest);
    }
}

fn measure_one(
    meter: &mut Meter,
    name: String,
    sample: (u64, Instant),
    [up, down]: [&FlowView; 2],
) {
    let tallies = Tallies {
        excess: up.excess_packets.saturating_add(down.excess_packets),
        passed: [up.passed_packets, down.passed_packets],
    };
    let rate = up.bits_per_second.saturating_add(down.bits_per_second);
    meter.take(name, sample, tallies, rate);
}

/// What the link of an interface is metered under.
pub(super) fn link_name(interface: Option<&str>) -> String {
    format!("link {}", interface.unwrap_or("-"))
}

fn rates(limit: &LimitView) -> Rates {
    [limit.up, limit.down, limit.total]
}

fn limit_traits(limit: &LimitView) -> String {
    let group = limit.group.as_ref().map(|group| format!(" {group}")).unwrap_or_default();
    format!("{} {}{group}", limit.scope, limit.action)
}
