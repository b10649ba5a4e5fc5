//! The agent's log, on stderr, and the eBPF program's messages in it.

use aya_log::EbpfLogger;
use clap::{ColorChoice, ValueEnum};
use tokio::io::{Interest, unix::AsyncFd};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use crate::{error::Result, output::wants_color};

/// Environment variable that overrides what is logged, in the syntax of `tracing_subscriber`.
const FILTER: &str = "THROTTLE_LOG";

/// Crate whose messages arrive through the ring buffer.
const KERNEL_TARGET: &str = "throttle_ebpf";

/// Messages of the eBPF program, up to this level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KernelLog {
    /// what must not happen
    Error,
    /// what an operator should look at
    Warn,
    /// changes of state
    Info,
    /// what helps to find a fault
    Debug,
    /// every packet
    Trace,
}

impl From<KernelLog> for tracing::Level {
    fn from(level: KernelLog) -> Self {
        match level {
            KernelLog::Error => Self::ERROR,
            KernelLog::Warn => Self::WARN,
            KernelLog::Info => Self::INFO,
            KernelLog::Debug => Self::DEBUG,
            KernelLog::Trace => Self::TRACE,
        }
    }
}

/// Starts logging; once per process.
///
/// # Errors
/// Logging was started before.
pub(super) fn start(verbose: u8, kernel_log: Option<KernelLog>, color: ColorChoice) -> Result<()> {
    let level = match verbose {
        0 => LevelFilter::INFO,
        1 => LevelFilter::DEBUG,
        2.. => LevelFilter::TRACE,
    };
    let kernel_level =
        kernel_log.map_or(LevelFilter::ERROR, |level| tracing::Level::from(level).into());
    let default = format!("warn,throttle_agent={level},{KERNEL_TARGET}={kernel_level}");
    let filter = EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(wants_color(color, &std::io::stderr()))
        .try_init()
        .map_err(|error| anyhow::anyhow!("starting the log: {error}").into())
}

/// Passes messages of the eBPF program on to the log, for ever.
pub(super) async fn pump(logger: EbpfLogger<&'static dyn ::log::Log>) {
    if let Err(error) = pump_until_error(logger).await {
        tracing::warn!("messages of the eBPF program are lost from now on: {error}");
    }
}

async fn pump_until_error(logger: EbpfLogger<&'static dyn ::log::Log>) -> std::io::Result<()> {
    // SAFETY: the logger owns the ring buffer's descriptor, and with it the map, until it is dropped.
    let mut logger = unsafe { AsyncFd::register_with_interest(logger, Interest::READABLE) }?;
    loop {
        let mut ready = logger.readable_mut().await?;
        ready.get_inner_mut().flush();
        ready.clear_ready();
    }
}
