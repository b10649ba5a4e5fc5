//! What covers the list: all about a host, and the help.

use ratatui::text::Line;

use super::Look;
use crate::{
    output,
    top::{State, keys::HELP},
};

/// What `host show` prints.
pub(super) fn host(state: &State, name: &str, look: Look) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled(format!("host {name}"), look.head()), Line::raw("")];
    match state.facts.as_ref().and_then(|facts| facts.detail.as_ref()) {
        None => lines.push(Line::raw("asking the agent")),
        Some(Err(why)) => lines.push(Line::styled(why.clone(), look.bad())),
        Some(Ok(host)) => {
            let text = output::text(host, false);
            lines.extend(text.lines().map(|line| Line::raw(line.to_owned())));
        }
    }
    lines
}

pub(super) fn help(look: Look) -> Vec<Line<'static>> {
    let width = HELP.iter().map(|(keys, _)| keys.len()).max().unwrap_or(0);
    let mut lines = vec![Line::styled("keys", look.head()), Line::raw("")];
    lines.extend(HELP.iter().map(|(keys, words)| Line::raw(format!("{keys:width$}  {words}"))));
    lines.push(Line::raw(""));
    for words in [
        "UP is sent by the host, DOWN is sent to it, in the last second. USE is the",
        "share of the rate that it is nearest to, of bytes or of packets. EXCESS is",
        "packets that found no room.",
    ] {
        lines.push(Line::raw(words));
    }
    lines
}
