//! A terminal of its own for programs that need one: tmux, without anybody in front of it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::command::run;
use crate::leftovers;
use crate::netns::unique_name;

/// How long something may take to appear.
const PATIENCE: Duration = Duration::from_secs(15);

/// What the names of sockets end in.
pub(crate) const ENDING: &str = "tmux";

/// Ends the server of a socket, and removes the socket.
pub(crate) fn end(socket: &Path) {
    // Nothing is left to end where the server did not start.
    let _not_started = run(tmux(socket).arg("kill-server"));
    if socket.exists() {
        leftovers::remove(socket);
    }
}

fn tmux(socket: &Path) -> Command {
    let mut command = Command::new("tmux");
    command.args(["-u", "-f", "/dev/null", "-S"]).arg(socket);
    command.env_remove("TMUX").env_remove("NO_COLOR");
    command
}

/// A shell on a terminal; both end on drop.
#[derive(Debug)]
pub struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    /// A terminal of so many columns and lines, with `/bin/sh` on it.
    pub fn new(columns: u16, lines: u16) -> Result<Self> {
        let socket = env::temp_dir().join(format!("{}.{ENDING}", unique_name()));
        let terminal = Self { socket };
        let mut start = tmux(&terminal.socket);
        start.args(["new-session", "-d", "-x", &columns.to_string(), "-y", &lines.to_string()]);
        start.args(["env", "PS1=ready> ", "LC_ALL=C.UTF-8", "/bin/sh"]);
        run(&mut start)?;
        terminal.wait_for("ready>")?;
        Ok(terminal)
    }

    /// Types a line and Enter.
    pub fn line(&self, text: &str) -> Result<()> {
        self.text(text)?;
        self.key("Enter")
    }

    /// Types letters.
    pub fn text(&self, text: &str) -> Result<()> {
        run(tmux(&self.socket).args(["send-keys", "-l", text])).map(drop)
    }

    /// Presses a key, by the name that tmux has for it.
    pub fn key(&self, name: &str) -> Result<()> {
        run(tmux(&self.socket).args(["send-keys", name])).map(drop)
    }

    /// What is on the screen, without blanks at the ends of lines.
    pub fn screen(&self) -> Result<String> {
        run(tmux(&self.socket).args(["capture-pane", "-p"]))
    }

    /// Waits until the screen holds `text`, and returns it.
    pub fn wait_for(&self, text: &str) -> Result<String> {
        self.wait_until(text, |screen| screen.contains(text))
    }

    /// Waits until the screen is as it should be, and returns it; `what` names that in the error.
    pub fn wait_until(&self, what: &str, holds: impl Fn(&str) -> bool) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen()?;
            if holds(&screen) {
                return Ok(screen);
            }
            if Instant::now() > deadline {
                bail!("no {what} on the screen:\n{screen}");
            }
            sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        end(&self.socket);
    }
}
