//! `top`: hosts by rate, on a terminal.
//!
//! [`State`] is what is known and what was asked for; [`State::update`] takes a key or an answer of the
//! agent, [`draw`] shows it. Neither reads or writes anything: `source` asks the agent, `terminal` owns the
//! terminal, and [`run`] joins them.

mod draw;
mod facts;
mod glyphs;
mod keys;
mod meter;
mod row;
mod source;
mod state;
mod terminal;

use std::{io, num::NonZeroU32};

use clap::ColorChoice;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, watch},
};

pub use draw::{Look, draw};
pub use facts::{Facts, Wanted};
pub use glyphs::Glyphs;
pub use state::{State, Step, Update};

use self::terminal::Screen;
use crate::{
    control::Client,
    error::{Error, Kind, Result, ResultExt},
    output::wants_color,
};

/// What the screen is started with.
#[derive(Debug, Clone, Copy)]
pub struct TopOptions {
    /// Seconds between two refreshes.
    pub every_seconds: NonZeroU32,
    /// Whether to do without block characters.
    pub ascii: bool,
    /// When to use colours.
    pub color: ColorChoice,
}

/// Shows the screen until the operator has seen enough.
///
/// # Errors
/// There is no terminal, or no agent at first; one that goes away later is waited for.
pub async fn run(client: Client, options: TopOptions) -> Result<()> {
    terminal::check()?;
    let colored = wants_color(options.color, &io::stdout());
    let look = Look { glyphs: Glyphs::choose(options.ascii), colored };
    let (updates, mut received) = mpsc::channel(16);
    let (wanted, asked) = watch::channel(Wanted::default());
    let first = source::first(&client).await?;
    let mut state = State::new();
    state.update(Update::Facts(Box::new(first)));
    tokio::spawn(source::follow(client, options.every_seconds, asked, updates.clone()));
    let mut ends = [
        caught(SignalKind::terminate())?,
        caught(SignalKind::hangup())?,
        caught(SignalKind::interrupt())?,
    ];
    let [terminated, hung_up, interrupted] = &mut ends;
    let mut screen = Screen::enter(colored)?;
    let _keys = terminal::keys(updates)?;
    loop {
        screen.draw(&mut state, look)?;
        wanted.send_if_modified(|before| {
            let now = state.wanted();
            let is_new = *before != now;
            *before = now;
            is_new
        });
        let update = tokio::select! {
            update = received.recv() => update,
            _ = terminated.recv() => None,
            _ = hung_up.recv() => None,
            _ = interrupted.recv() => None,
        };
        match update.map_or(Step::Quit, |update| state.update(update)) {
            Step::Go => {}
            Step::Quit => return Ok(()),
            Step::Suspend => screen.suspend()?,
        }
    }
}

fn caught(kind: SignalKind) -> Result<Signal> {
    signal(kind).doing(Kind::Failed, || "watching for signals")
}

/// The terminal refuses.
fn refused(error: io::Error, doing: &str) -> Error {
    Error::of_io(error, format_args!("{doing} the terminal"))
}

#[cfg(test)]
mod tests;
