//! The screen, driven by keys and made-up answers, on terminals that are none.

use std::{sync::Arc, time::Duration, time::Instant};

use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
};

mod keys;

use super::{facts::Policy, *};
use crate::{
    control::{NetnsView, StatusView},
    datapath::Place,
    policy::{GroupView, LimitRequest, LimitView, RatesRequest},
    telemetry::{FlowView, HostExplained, HostFlowView, HostView, HostsView, StatsView},
};

const PLAIN: Look = Look { glyphs: Glyphs::Ascii, colored: false };

/// A screen of some size with what it shows.
struct Shown {
    state: State,
    terminal: Terminal<TestBackend>,
    start: Instant,
    sample: u64,
}

impl Shown {
    fn new(width: u16, height: u16) -> Self {
        let terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        Self { state: State::new(), terminal, start: Instant::now(), sample: 0 }
    }

    /// A screen of 80x24 with three hosts that have been there for two seconds.
    fn with_hosts() -> Self {
        let mut shown = Self::new(80, 24);
        shown.second(vec![host("10.0.0.7", 1, 9, 0), host("10.0.0.8", 3, 1, 0)]);
        let hosts = vec![
            host("10.0.0.7", 1_000_000, 9_900_000, 2_500),
            host("10.0.0.8", 3_000_000, 1_000_000, 0),
            host("2001:db8:0:7::/64", 0, 0, 0),
        ];
        shown.second(hosts);
        shown
    }

    /// The agent answers for another second.
    fn second(&mut self, hosts: Vec<HostView>) {
        self.sample += 1;
        let facts = facts(self.sample, self.start + Duration::from_secs(self.sample), hosts);
        assert_eq!(self.state.update(Update::Facts(Box::new(facts))), Step::Go);
    }

    fn press(&mut self, code: KeyCode) -> Step {
        self.state.update(Update::Key(KeyEvent::new(code, KeyModifiers::NONE)))
    }

    fn type_in(&mut self, letters: &str) {
        for letter in letters.chars() {
            assert_eq!(self.press(KeyCode::Char(letter)), Step::Go);
        }
    }

    /// The lines of the screen, without the blanks at their ends.
    fn lines(&mut self) -> Vec<String> {
        self.state.resize(self.terminal.size().unwrap().height);
        self.terminal.draw(|frame| draw(frame, &self.state, PLAIN)).unwrap();
        let buffer = self.terminal.backend().buffer();
        let rows = buffer.content().chunks(usize::from(buffer.area.width).max(1));
        let text = rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>());
        text.map(|line| line.trim_end().to_owned()).collect()
    }

    /// The first words of the lines of the list.
    fn names(&mut self) -> Vec<String> {
        let lines = self.lines();
        let list = lines[3..lines.len() - 1].iter().filter(|line| !line.is_empty());
        list.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
    }
}

fn host(name: &str, up: u64, down: u64, excess_packets: u64) -> HostView {
    let flow = |bits_per_second, excess_packets| HostFlowView {
        flow: FlowView { bits_per_second, excess_packets, ..FlowView::default() },
        wait_ns: 0,
    };
    HostView {
        host: name.to_owned(),
        limit: Some("0.0.0.0/0".parse().unwrap()),
        group: None,
        up: flow(up, 0),
        down: flow(down, excess_packets),
        last_seen_seconds_ago: Some(0.1),
    }
}

/// A host that no limit holds.
fn explained(host: HostView) -> HostExplained {
    HostExplained {
        host,
        place: Place::Table,
        scope: None,
        action: None,
        prefixes: vec![],
        exempt_peers: vec![],
        levels: vec![],
        up_wait_ns: 0,
        down_wait_ns: 0,
        up_last_excess: None,
        down_last_excess: None,
    }
}

fn facts(sample: u64, at: Instant, hosts: Vec<HostView>) -> Facts {
    let tracked = HostsView { tracked: hosts.len() as u64, capacity: 65_536, overflowed: 0 };
    let status = StatusView {
        settings: crate::config::AgentKeys::default(),
        instance: "default".into(),
        version: String::new(),
        pid: 1,
        uptime_seconds: 192.0,
        adopted: false,
        control_socket: String::new(),
        netns: NetnsView { name: None, inode: 0 },
        links: vec![],
        limits: 1,
        hosts: tracked,
        warnings: vec![],
    };
    let rate = |bits| RatesRequest { bits_per_second: Some(bits), ..RatesRequest::default() };
    let request =
        LimitRequest { up: rate(2_000_000), down: rate(10_000_000), ..LimitRequest::default() };
    let limit = request.check("0.0.0.0/0".parse().unwrap()).unwrap().value;
    let group = crate::policy::GroupRequest { down: rate(50_000_000), ..Default::default() };
    let group = group.check("acme".parse().unwrap()).unwrap().value;
    let stats = serde_json::json!({
        "links": [{"interface": "eth1", "side": "far", "hook": "tcx", "reasons": {},
                   "up": flow(4_000_000), "down": flow(10_900_000)}],
        "limits": [{"prefix": "0.0.0.0/0", "match": "host",
                    "up": flow(4_000_000), "down": flow(10_900_000)}],
        "groups": [{"name": "acme", "up": flow(0), "down": flow(25_000_000)}],
        "reasons": {}, "hosts": tracked, "generation": 7,
    });
    let stats: Arc<StatsView> = Arc::new(serde_json::from_value(stats).unwrap());
    let policy = Policy::new(vec![LimitView::from(&limit)], vec![GroupView::from(&group)], vec![]);
    Facts { sample, at, status, stats, hosts, policy: Arc::new(policy), detail: None }
}

fn flow(bits_per_second: u64) -> FlowView {
    FlowView { bits_per_second, ..FlowView::default() }
}

#[test]
fn eighty_columns_hold_a_host_with_its_limit_use_and_past() {
    let lines = Shown::with_hosts().lines();
    assert_eq!(lines.len(), 24);
    assert_eq!(
        lines[..6],
        [
            "throttle default  up 3m12s  hosts 3/65536  generation 7                  by down",
            "up 4.00mbit  down 10.9mbit  excess 0/s  eth1",
            "HOST            LIMIT               UP     DOWN  USE           EXCESS LAST 10 S",
            "10.0.0.7        2mbit/10mbit  1.00mbit 9.90mbit  99% #######  2.50k/s         .#",
            "10.0.0.8        2mbit/10mbit  3.00mbit 1.00mbit 150% #######      0/s         .#",
            "2001:db8:0:7::~ 2mbit/10mbit      0bit     0bit   0%                -",
        ]
    );
    assert!(lines[23].starts_with("q quit  s sort  / filter"), "{:?}", lines[23]);
}

#[test]
fn a_wide_screen_shows_whole_addresses_groups_and_half_a_minute() {
    let mut shown = Shown::new(200, 60);
    let mut member = host("2001:db8:0:7::/64", 0, 8_000_000, 0);
    member.group = Some("acme".parse().unwrap());
    for _ in 0..40 {
        shown.second(vec![member.clone()]);
    }
    let lines = shown.lines();
    assert_eq!(lines.len(), 60);
    assert!(lines[2].contains("LAST 30 S") && lines[2].contains("GROUP"), "{:?}", lines[2]);
    assert!(lines[3].starts_with("2001:db8:0:7::/64 "), "{:?}", lines[3]);
    assert!(lines[3].contains(&"#".repeat(30)) && lines[3].ends_with("acme"), "{:?}", lines[3]);
}

#[test]
fn a_tiny_screen_shows_what_it_can() {
    for (width, height) in [(20, 5), (1, 1), (40, 3), (3, 24), (0, 0)] {
        let mut shown = Shown::with_hosts();
        shown.terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        for code in [KeyCode::Char('?'), KeyCode::Char('?'), KeyCode::Char('l'), KeyCode::End] {
            shown.lines();
            shown.press(code);
        }
        shown.press(KeyCode::Char('l'));
        let lines = shown.lines();
        if width == 20 {
            assert!(lines[3].starts_with("10.0.0.7"), "{lines:?}");
            assert_eq!(lines[4], "q quit  ? help");
        }
    }
}

#[test]
fn every_width_keeps_the_columns_under_their_heads() {
    for width in 40..220 {
        let mut shown = Shown::with_hosts();
        shown.terminal = Terminal::new(TestBackend::new(width, 24)).unwrap();
        let lines = shown.lines();
        for name in ["UP", "DOWN", "USE"] {
            let head = format!("{} ", lines[2]);
            let end = head.find(&format!(" {name} ")).unwrap() + 1 + name.len();
            assert!(!lines[3][..end].ends_with(' '), "{width}: {name}: {lines:#?}");
            assert!(matches!(lines[3].get(end..=end), None | Some(" ")), "{width}: {lines:#?}");
        }
        assert!(lines.iter().all(|line| line.chars().count() <= usize::from(width)));
    }
}

#[test]
fn an_agent_that_has_gone_is_told_and_the_last_facts_stay() {
    let mut shown = Shown::with_hosts();
    shown.state.update(Update::Gone("no agent runs for instance default".into()));
    let lines = shown.lines();
    assert_eq!(lines[1], "no answer, trying again: no agent runs for instance default");
    assert!(lines[3].starts_with("10.0.0.7"));
    shown.second(vec![]);
    let lines = shown.lines();
    assert!(lines[1].starts_with("up 4.00mbit"), "{lines:?}");
    assert!(lines[3].starts_with("no host yet"), "{lines:?}");
}

#[test]
fn an_answer_that_belongs_to_no_second_is_shown_but_not_measured() {
    let mut shown = Shown::new(80, 24);
    let unmetered = facts(Facts::UNMETERED, shown.start, vec![host("10.0.0.7", 0, 0, 9_000)]);
    shown.state.update(Update::Facts(Box::new(unmetered)));
    shown.second(vec![host("10.0.0.7", 0, 0, 8_000)]);
    assert_eq!(shown.state.rows[0].excess, None);
    shown.second(vec![host("10.0.0.7", 0, 0, 8_100)]);
    assert_eq!(shown.state.rows[0].excess, Some(100));
}

#[test]
fn colours_are_only_there_on_demand() {
    let mut shown = Shown::with_hosts();
    for colored in [false, true] {
        let look = Look { colored, ..PLAIN };
        shown.terminal.draw(|frame| draw(frame, &shown.state, look)).unwrap();
        let buffer = shown.terminal.backend().buffer();
        let has_color = buffer.content().iter().any(|cell| cell.fg != ratatui::style::Color::Reset);
        assert_eq!(has_color, colored);
    }
}
