//! A terminal of its own for programs that need one: tmux, without anybody in front of it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use nix::unistd::Uid;

use crate::command::run;
use crate::leftovers;
use crate::netns::unique_name;

/// How long something may take to appear.
const PATIENCE: Duration = Duration::from_secs(15);

/// Ends the servers whose sockets have names that `is_orphan` accepts.
pub(crate) fn sweep(is_orphan: impl Fn(&str) -> bool) {
    let parent = env::var_os("TMUX_TMPDIR").map_or_else(|| "/tmp".into(), PathBuf::from);
    let directory = parent.join(format!("tmux-{}", Uid::effective()));
    for name in leftovers::names(&directory).filter(|name| is_orphan(name)) {
        let socket = directory.join(name);
        eprintln!("ending the leftover terminal {}", socket.display());
        end(&socket);
    }
}

/// Ends the server of a socket, and removes the socket where there is none.
fn end(socket: &Path) {
    // Nothing is left to end where the server did not start.
    let _not_started = run(Command::new("tmux").arg("-S").arg(socket).arg("kill-server"));
    if socket.exists() {
        leftovers::remove(socket);
    }
}

/// A shell on a terminal; both end on drop.
#[derive(Debug)]
pub struct Terminal {
    socket: String,
}

impl Terminal {
    /// A terminal of so many columns and lines, with `/bin/sh` on it.
    pub fn new(columns: u16, lines: u16) -> Result<Self> {
        let terminal = Self { socket: unique_name() };
        let mut start = terminal.tmux();
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
        run(self.tmux().args(["send-keys", "-l", text])).map(drop)
    }

    /// Presses a key, by the name that tmux has for it.
    pub fn key(&self, name: &str) -> Result<()> {
        run(self.tmux().args(["send-keys", name])).map(drop)
    }

    /// What is on the screen, without blanks at the ends of lines.
    pub fn screen(&self) -> Result<String> {
        run(self.tmux().args(["capture-pane", "-p"]))
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

    fn tmux(&self) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-u", "-f", "/dev/null", "-L", &self.socket]);
        command.env_remove("TMUX").env_remove("NO_COLOR");
        command
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Nothing is left to end where the server did not start.
        let _not_started = run(self.tmux().arg("kill-server"));
    }
}
