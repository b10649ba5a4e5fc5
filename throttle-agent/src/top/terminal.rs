//! The terminal, which is as it was when the screen is gone, whatever happens.

use std::{
    io::{self, IsTerminal, stdout},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use nix::sys::signal::{Signal, raise};
use ratatui::{
    DefaultTerminal,
    crossterm::{
        event::{self, Event, KeyEventKind},
        execute,
        style::force_color_output,
        terminal::{EnterAlternateScreen, enable_raw_mode},
    },
};
use tokio::sync::mpsc;

use super::{Look, State, Update, draw, refused};
use crate::error::{Error, Kind, Result, ResultExt};

/// How soon the thread that waits for keys sees that nobody wants them any more.
const KEY_PATIENCE: Duration = Duration::from_millis(200);

/// Whether there is a terminal to draw on and to read keys from.
pub(super) fn check() -> Result<()> {
    let missing = match (io::stdin().is_terminal(), stdout().is_terminal()) {
        (true, true) => return Ok(()),
        (_, false) => "stdout",
        (false, true) => "stdin",
    };
    Err(Error::usage(format_args!("top needs a terminal, which {missing} is not"))
        .hint("for a list, use throttle-agent host list --top 20"))
}

/// The terminal, until dropped; a panic gives it back as well.
pub(super) struct Screen(DefaultTerminal);

impl Screen {
    /// Takes the terminal.
    pub(super) fn enter(colored: bool) -> Result<Self> {
        // crossterm looks at NO_COLOR by itself, which --color overrides.
        force_color_output(colored);
        ratatui::try_init().map(Self).map_err(|error| {
            ratatui::restore();
            refused(error, "taking over")
        })
    }

    /// Shows a state, and tells it how much of it there is room for.
    pub(super) fn draw(&mut self, state: &mut State, look: Look) -> Result<()> {
        let drawn = self.0.draw(|frame| {
            state.resize(frame.area().height);
            draw(frame, state, look);
        });
        drawn.map(drop).map_err(|error| refused(error, "drawing on"))
    }

    /// Gives the terminal back to the shell, and takes it again when the shell says so.
    pub(super) fn suspend(&mut self) -> Result<()> {
        self.restore();
        raise(Signal::SIGSTOP).doing(Kind::Failed, || "suspending")?;
        enable_raw_mode()
            .and_then(|()| execute!(stdout(), EnterAlternateScreen))
            .and_then(|()| self.0.clear())
            .map_err(|error| refused(error, "taking over"))
    }

    fn restore(&mut self) {
        // A terminal that is gone needs nothing restored.
        let _gone = self.0.show_cursor();
        let _gone = ratatui::try_restore();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.restore();
    }
}

/// A thread that passes on keys and changes of size, until dropped.
pub(super) struct Keys(Arc<AtomicBool>);

/// Begins to pass on keys.
pub(super) fn keys(updates: mpsc::Sender<Update>) -> Result<Keys> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let read = move || {
        while !stopped.load(Relaxed) {
            let update = match event::poll(KEY_PATIENCE) {
                Ok(false) => continue,
                Ok(true) => match event::read() {
                    Ok(Event::Key(key)) if key.kind == KeyEventKind::Press => Update::Key(key),
                    Ok(Event::Resize(..)) => Update::Redraw,
                    Ok(_) => continue,
                    Err(_) => Update::NoTerminal,
                },
                Err(_) => Update::NoTerminal,
            };
            let is_last = matches!(update, Update::NoTerminal);
            if updates.blocking_send(update).is_err() || is_last {
                return;
            }
        }
    };
    let spawned = thread::Builder::new().name("keys".to_owned()).spawn(read);
    spawned.doing(Kind::Failed, || "starting to read keys")?;
    Ok(Keys(stop))
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}
