//! The list of hosts, and that of limits, groups and links.

use ratatui::{
    style::{Modifier, Style},
    text::{Line, Span},
};

use super::{Look, cut};
use crate::{
    output::format::{bits_per_second, or_dash, per_second},
    top::{State, meter::REMEMBERED, row::Row, state::List},
};

/// Widths of columns, in characters; 0 leaves one out.
struct Widths {
    name: usize,
    limit: usize,
    bar: usize,
    spark: usize,
    also: usize,
}

const RATE: usize = 8;
const PERCENT: usize = 4;
const EXCESS: usize = 8;

impl Widths {
    /// The columns that a screen has room for; the least important ones go first.
    fn of(list: List, width: usize) -> Self {
        let least = match list {
            List::Hosts => 15,
            List::Limits => 18,
        };
        let figures = 2 * (RATE + 1) + PERCENT + 1;
        let mut widths = Self { name: least, limit: 0, bar: 0, spark: 0, also: 0 };
        let mut left = width.saturating_sub(least + figures);
        let mut grant = |most: usize, wanted: usize| {
            let fits = left > wanted;
            let granted = if fits { wanted.max(most.min(left - 1)) } else { 0 };
            left -= if granted > 0 { granted + 1 } else { 0 };
            granted
        };
        let excess = grant(EXCESS, EXCESS);
        widths.limit = if excess > 0 { grant(13, 13) } else { 0 };
        widths.spark = if widths.limit > 0 { grant(8, 8) } else { 0 };
        widths.bar = if widths.spark > 0 { grant(7, 4) } else { 0 };
        widths.also = if widths.bar > 0 { grant(14, 8) } else { 0 };
        if width >= 110 {
            widths.name += grant(13, 8);
            widths.limit += grant(6, 6);
            widths.bar += grant(9, 9);
        }
        // The rest is for the past, as far as it is remembered.
        if widths.spark > 0 {
            widths.spark = (widths.spark + left).min(REMEMBERED);
        }
        widths
    }

    fn has_excess(&self) -> bool {
        self.limit > 0
    }
}

/// The head of the columns and as many lines as there is room for.
pub(super) fn lines(state: &State, look: Look, width: usize, height: usize) -> Vec<Line<'static>> {
    let widths = Widths::of(state.list, width);
    let mut lines = vec![Line::styled(head(state.list, &widths), underlined())];
    if state.rows.is_empty() {
        lines.push(Line::raw(cut(nothing(state), width, look)));
        return lines;
    }
    let cursor = state.cursor();
    let shown = state.rows.iter().enumerate().skip(state.offset).take(height.saturating_sub(1));
    lines.extend(shown.map(|(number, row)| {
        let line = line(row, &widths, look);
        if number == cursor { line.patch_style(Modifier::REVERSED) } else { line }
    }));
    lines
}

fn nothing(state: &State) -> &'static str {
    match (state.list, state.filter.is_empty()) {
        (_, false) => "nothing matches the filter; Esc clears it",
        (List::Hosts, true) => "no host yet: one is known from its first packet under a limit",
        (List::Limits, true) => "no limits, groups or links",
    }
}

fn underlined() -> Style {
    Style::default().add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
}

fn head(list: List, widths: &Widths) -> String {
    let name = match list {
        List::Hosts => "HOST",
        List::Limits => "NAME",
    };
    let also = match list {
        List::Hosts => "GROUP",
        List::Limits => "WHAT",
    };
    let mut head = format!("{name:<width$}", width = widths.name);
    let mut column = |width: usize, name: &str, right: bool| {
        if width > 0 {
            head += &if right { format!(" {name:>width$}") } else { format!(" {name:<width$}") };
        }
    };
    column(widths.limit, "LIMIT", false);
    column(RATE, "UP", true);
    column(RATE, "DOWN", true);
    column(PERCENT, "USE", true);
    column(widths.bar, "", false);
    column(if widths.has_excess() { EXCESS } else { 0 }, "EXCESS", true);
    let past = format!("LAST {} S", widths.spark);
    column(widths.spark, if past.len() <= widths.spark { &past } else { "PAST" }, false);
    column(widths.also, also, false);
    head
}

fn line(row: &Row, widths: &Widths, look: Look) -> Line<'static> {
    let left = |text: &str, width: usize| {
        let text = cut(text, width, look);
        format!("{text:<width$}")
    };
    let right = |text: &str, width: usize| format!(" {:>width$}", cut(text, width, look));
    let used = row.used.unwrap_or(0.0);
    let mut spans = vec![Span::raw(left(&row.name, widths.name))];
    if widths.limit > 0 {
        spans.push(Span::raw(format!(" {}", left(&row.limit, widths.limit))));
    }
    spans.push(Span::raw(right(&bits_per_second(row.up), RATE)));
    spans.push(Span::raw(right(&bits_per_second(row.down), RATE)));
    let percent = or_dash(row.used.map(|used| format!("{:.0}%", used.min(999.0))));
    spans.push(Span::styled(right(&percent, PERCENT), look.used(used)));
    if widths.bar > 0 {
        let bar = look.glyphs.bar(used, widths.bar);
        spans.push(Span::styled(format!(" {bar}"), look.used(used)));
    }
    if widths.has_excess() {
        let text = right(&or_dash(row.excess.map(per_second)), EXCESS);
        let is_bad = row.excess.is_some_and(|excess| excess > 0);
        spans.push(Span::styled(text, if is_bad { look.bad() } else { Style::default() }));
    }
    if widths.spark > 0 {
        let spark = look.glyphs.sparkline(&row.history, widths.spark);
        spans.push(Span::raw(format!(" {spark}")));
    }
    if widths.also > 0 {
        spans.push(Span::raw(format!(" {}", left(&row.also, widths.also))));
    }
    Line::from(spans)
}
