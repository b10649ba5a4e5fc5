//! One TCP flow, carried by iperf3 and metered at its receiver.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::measure::Meter;
use crate::netns::Namespace;
use crate::router::{End, Router};
use crate::traffic::{Family, Transport};

/// How much longer than its duration a transfer may take to set up and report.
const GRACE: Duration = Duration::from_secs(15);

/// A TCP flow to be started.
#[derive(Clone, Copy, Debug)]
pub struct Flow<'a> {
    /// Where it runs.
    pub router: &'a Router,
    /// The sender.
    pub from: End,
    /// The receiver.
    pub to: End,
    /// The IP version.
    pub family: Family,
    /// Seconds at the start that do not count for the goodput.
    pub skipped_seconds: u32,
    /// Seconds that count.
    pub seconds: u32,
    /// Payload rate that the sender keeps to; `None` for as fast as it can.
    pub bits_per_second: Option<u64>,
}

impl Flow<'_> {
    /// Starts to send.
    pub fn start(self) -> Result<RunningFlow> {
        // The host side is the client and, as a receiver, asks the server to send.
        let (client, server) = match self.from {
            End::Host { .. } => (self.from, self.to),
            End::Server | End::Router => (self.to, self.from),
        };
        let port = free_port();
        let listening = self.listen(server, port)?;
        let receiver = self.router.namespace(self.to);
        let meter = Meter::new(receiver, self.family, Transport::Tcp)?;
        let mut command = iperf3(self.router.namespace(client), port)?;
        command.args(["--json", "--client", &server.address(self.family).to_string()]);
        command.args(["--bind", &client.address(self.family).to_string()]);
        command.args(["--time", &self.seconds.to_string()]);
        command.args(["--omit", &self.skipped_seconds.to_string()]);
        if let Some(rate) = self.bits_per_second {
            command.args(["--bitrate", &rate.to_string()]);
        }
        if client != self.from {
            command.arg("--reverse");
        }
        let duration = Duration::from_secs(u64::from(self.seconds + self.skipped_seconds));
        Ok(RunningFlow {
            client: Process::spawn(&mut command)?,
            _server: listening,
            meter,
            deadline: Instant::now() + duration + GRACE,
        })
    }

    /// Starts the server and returns once it listens.
    fn listen(self, end: End, port: u16) -> Result<Process> {
        let mut command = iperf3(self.router.namespace(end), port)?;
        command.args(["--server", "--one-off", "--forceflush"]);
        command.args(["--bind", &end.address(self.family).to_string()]);
        let mut server = Process::spawn(&mut command)?;
        let mut lines = BufReader::new(server.stdout()?).lines();
        let listens = lines.any(|line| line.is_ok_and(|line| line.contains("listening")));
        ensure!(listens, "the iperf3 server ended before it listened");
        // Nobody else reads the report of the server; a full pipe would stop it.
        thread::spawn(move || lines.for_each(drop));
        Ok(server)
    }
}

/// A TCP flow that is being sent; ends when dropped.
#[derive(Debug)]
pub struct RunningFlow {
    client: Process,
    _server: Process,
    /// Counts what reaches the receiver.
    pub meter: Meter,
    deadline: Instant,
}

/// What iperf3 reports of a flow.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Payload that reached the receiver after the skipped seconds.
    pub goodput_bits_per_second: f64,
    /// The same payload as a total.
    pub received_bytes: u64,
    /// Segments sent again, as far as the sender says.
    pub retransmits: u64,
}

impl RunningFlow {
    /// Waits for the end and reads the report.
    pub fn finish(mut self) -> Result<Report> {
        let mut text = String::new();
        let mut stdout = self.client.stdout()?;
        let reader = thread::spawn(move || stdout.read_to_string(&mut text).map(|_| text));
        while !reader.is_finished() {
            ensure!(Instant::now() < self.deadline, "the iperf3 client does not end");
            thread::sleep(Duration::from_millis(10));
        }
        let Ok(text) = reader.join() else { bail!("reading the iperf3 report panicked") };
        report(&text?)
    }
}

fn report(text: &str) -> Result<Report> {
    let report: Value = serde_json::from_str(text).context("parsing the iperf3 report")?;
    if let Some(error) = report["error"].as_str() {
        bail!("iperf3: {error}");
    }
    let end = &report["end"];
    let received = &end["sum_received"];
    let goodput = received["bits_per_second"].as_f64().zip(received["bytes"].as_u64());
    let (goodput_bits_per_second, received_bytes) =
        goodput.context("iperf3 reports no sum_received")?;
    Ok(Report {
        goodput_bits_per_second,
        received_bytes,
        retransmits: end["sum_sent"]["retransmits"].as_u64().unwrap_or_default(),
    })
}

fn iperf3(namespace: &Namespace, port: u16) -> Result<Command> {
    let mut command = namespace.command("iperf3")?;
    command.args(["--port", &port.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    Ok(command)
}

/// Every flow of this process has a port of its own, so that flows can overlap.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(5201);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A child process that is killed and reaped on drop.
#[derive(Debug)]
struct Process(Child);

impl Process {
    fn spawn(command: &mut Command) -> Result<Self> {
        Ok(Self(command.spawn().context("starting iperf3")?))
    }

    fn stdout(&mut self) -> Result<ChildStdout> {
        self.0.stdout.take().context("the output of iperf3 is read already")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
