//! The screen as it is shown. Nothing here knows more than the state.

mod head;
mod lists;
mod pages;

use ratatui::{
    Frame,
    layout::{Constraint, Layout},
    style::{Color, Modifier, Style},
    text::Line,
    widgets::Paragraph,
};

use super::{Glyphs, State, state::Cover};

/// How it looks, whatever it shows.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// What bars are made of.
    pub glyphs: Glyphs,
    /// Whether there are colours.
    pub colored: bool,
}

/// Draws a state.
pub fn draw(frame: &mut Frame<'_>, state: &State, look: Look) {
    let lines =
        Layout::vertical([Constraint::Length(2), Constraint::Min(0), Constraint::Length(1)]);
    let [head, body, foot] = lines.areas(frame.area());
    let width = usize::from(body.width);
    let height = usize::from(body.height);
    frame.render_widget(Paragraph::new(head::lines(state, look, width)), head);
    let body_lines = match &state.cover {
        Some(Cover::Help) => pages::help(look),
        Some(Cover::Host(name)) => pages::host(state, name, look),
        None => lists::lines(state, look, width, height),
    };
    frame.render_widget(Paragraph::new(body_lines), body);
    frame.render_widget(Paragraph::new(foot_line(state, look, width)), foot);
}

fn foot_line(state: &State, look: Look, width: usize) -> Line<'static> {
    let plain = Style::default().add_modifier(Modifier::DIM);
    if state.typing {
        let text = format!("filter: {}_   Enter keeps it, Esc clears it", state.filter);
        return Line::styled(cut(&text, width, look), Style::default());
    }
    let full = match &state.cover {
        Some(_) => "Esc back  q quit",
        None => "q quit  s sort  / filter  f freeze  Enter explain  l limits  ? help",
    };
    let text = if full.len() <= width { full } else { "q quit  ? help" };
    Line::styled(cut(text, width, look), plain)
}

impl Look {
    /// The style of what needs a look.
    fn bad(self) -> Style {
        self.color(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// The style of a head.
    fn head(self) -> Style {
        Style::default().add_modifier(Modifier::BOLD)
    }

    /// The style of a use in percent.
    fn used(self, percent: f64) -> Style {
        match percent {
            95.0.. => self.color(Color::Red),
            75.0.. => self.color(Color::Yellow),
            _ => self.color(Color::Green),
        }
    }

    fn color(self, color: Color) -> Style {
        if self.colored { Style::default().fg(color) } else { Style::default() }
    }
}

/// At most `width` characters of a text, with a sign where it was cut.
fn cut(text: &str, width: usize, look: Look) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    if width > 0 {
        cut.push(look.glyphs.cut());
    }
    cut
}
