//! A headless Chromium inside a namespace, driven through its DevTools pipe.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::fcntl::{FcntlArg, fcntl};
use serde_json::{Value, json};

use crate::folder::Folder;
use crate::netns::Namespace;

/// How long an answer, or what a page is waited for, may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// The descriptors that Chromium reads commands from and writes answers to.
const PIPE: [i32; 2] = [3, 4];

/// Nothing of it may go out to the network by itself.
const OPTIONS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
    "about:blank",
];

/// A browser with one page; ended on drop, with its profile.
#[derive(Debug)]
pub struct Browser {
    process: Child,
    /// Goes once the process has ended.
    _profile: Folder,
    commands: File,
    messages: Receiver<Value>,
    last_id: u64,
    session: Option<String>,
    /// What went wrong in the page: exceptions, and what it wrote to the console as an error.
    pub errors: Vec<String>,
    /// Every address that was asked for.
    pub requests: Vec<String>,
}

impl Browser {
    /// Starts one with an empty profile.
    pub fn start(namespace: &Namespace) -> Result<Self> {
        let profile = Folder::new()?;
        let [(read_commands, commands), (answers, write_answers)] = [pipe()?, pipe()?];
        let ends = [read_commands.as_raw_fd(), write_answers.as_raw_fd()];
        let mut command = namespace.command("chromium")?;
        command.args(OPTIONS).arg(format!("--user-data-dir={}", profile.path().display()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // SAFETY: the closure runs between fork and exec and makes dup2(2) calls only, which are
        // async-signal-safe, on descriptors that the parent holds until the child has started.
        unsafe { command.pre_exec(move || hand_over(ends)) };
        let process = command
            .spawn()
            .context("starting chromium; hint: install Debian's package of this name")?;
        drop((read_commands, write_answers));
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            for message in BufReader::new(File::from(answers)).split(0).map_while(Result::ok) {
                let Ok(value) = serde_json::from_slice(&message) else { return };
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            process,
            _profile: profile,
            commands: commands.into(),
            messages,
            last_id: 0,
            session: None,
            errors: Vec::new(),
            requests: Vec::new(),
        };
        browser.attach()?;
        Ok(browser)
    }

    fn attach(&mut self) -> Result<()> {
        let target = self.call("Target.createTarget", json!({"url": "about:blank"}))?;
        let parameters = json!({"targetId": target["targetId"], "flatten": true});
        let attached = self.call("Target.attachToTarget", parameters)?;
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), json!({}))?;
        }
        Ok(())
    }

    /// Opens an address.
    pub fn open(&mut self, address: &str) -> Result<()> {
        let answer = self.call("Page.navigate", json!({"url": address}))?;
        match answer["errorText"].as_str() {
            Some(error) => bail!("opening {address}: {error}"),
            None => Ok(()),
        }
    }

    /// Lays the page out for a screen so many pixels wide.
    pub fn resize(&mut self, width: u32) -> Result<()> {
        let screen = json!({"width": width, "height": 900, "deviceScaleFactor": 1,
                            "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", screen).map(drop)
    }

    /// The value of an expression of JavaScript.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let parameters = json!({"expression": expression, "returnByValue": true});
        let answer = self.call("Runtime.evaluate", parameters)?;
        match answer.get("exceptionDetails") {
            Some(details) => bail!("{expression}: {details}"),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// Waits until an expression yields what `is_it` accepts, and returns that.
    pub fn wait_for(&mut self, expression: &str, is_it: impl Fn(&Value) -> bool) -> Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let value = self.evaluate(expression)?;
            if is_it(&value) {
                return Ok(value);
            }
            if Instant::now() > deadline {
                let body = self.evaluate("document.body.innerText")?;
                bail!("{expression} stays {value}; errors {:?}; the page:\n{body}", self.errors);
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn call(&mut self, method: &str, parameters: Value) -> Result<Value> {
        self.last_id += 1;
        let mut message = json!({"id": self.last_id, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let mut bytes = serde_json::to_vec(&message)?;
        bytes.push(0);
        self.commands.write_all(&bytes).with_context(|| format!("asking for {method}"))?;
        loop {
            let message = self.messages.recv_timeout(PATIENCE);
            let message = message.with_context(|| format!("chromium does not answer {method}"))?;
            if message["id"] != self.last_id {
                self.note(&message);
            } else if let Some(error) = message.get("error") {
                bail!("{method}: {error}");
            } else {
                return Ok(message["result"].clone());
            }
        }
    }

    /// Keeps what an event tells of errors and requests.
    fn note(&mut self, event: &Value) {
        let details = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => self.errors.push(details.to_string()),
            "Runtime.consoleAPICalled" if details["type"] == "error" => {
                self.errors.push(details["args"].to_string());
            }
            "Log.entryAdded" if details["entry"]["level"] == "error" => {
                self.errors.push(details["entry"].to_string());
            }
            "Network.requestWillBeSent" => {
                let url = details["request"]["url"].as_str().unwrap_or_default();
                self.requests.push(url.to_owned());
            }
            _ => {}
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends its own processes in order; what does not end is killed.
        self.session = None;
        let closed = self.call("Browser.close", json!({}));
        if closed.is_err() {
            let _gone = self.process.kill();
        }
        let _reaped = self.process.wait();
    }
}

/// A pipe whose ends are numbered above those of [`PIPE`], and closed in other children.
fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    let (read, write) = nix::unistd::pipe()?;
    Ok((above(read)?, above(write)?))
}

fn above(end: OwnedFd) -> Result<OwnedFd> {
    use std::os::fd::FromRawFd as _;
    let number = fcntl(&end, FcntlArg::F_DUPFD_CLOEXEC(PIPE[1] + 1))?;
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

fn hand_over(ends: [i32; 2]) -> std::io::Result<()> {
    for (end, number) in ends.into_iter().zip(PIPE) {
        // SAFETY: plain numbers; affects the calling process only.
        if unsafe { libc::dup2(end, number) } < 0 {
            return Err(std::io::Error::last_os_error());
        }
    }
    Ok(())
}
