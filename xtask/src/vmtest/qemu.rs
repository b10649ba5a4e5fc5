//! A virtual machine that shares nothing with this one but two serial ports.

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhow::{Context as _, Result};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

use crate::exec;

/// `console` is the first serial port; warnings of the kernel and worse are shown. An oops ends the machine.
const KERNEL_COMMAND_LINE: &str = "console=ttyS0 loglevel=5 oops=panic panic=-1";

/// A newer processor costs half as much time again, since more of it is emulated. The emulated cmpxchg16b of qemu
/// 7.2 leaves wrong flags, on which Linux 6.12 panics: without it, the kernel does as well.
const PROCESSOR: &str = "Nehalem,-cx16";

/// What the machine's clock follows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Clock {
    /// This machine's, with both processors at work.
    Wall,
    /// The instructions of its one processor, two nanoseconds each, and no time to wait for what is due later:
    /// neither the speed of the emulation nor what else this machine does changes what is measured.
    Instructions,
}

impl Clock {
    fn options(self) -> &'static [&'static str] {
        match self {
            Self::Wall => &["-smp", "2"],
            Self::Instructions => {
                &["-smp", "1", "-icount", "shift=1,sleep=off", "-rtc", "clock=vm"]
            }
        }
    }
}

/// A line that the machine prints, without its end.
pub(super) enum Line {
    /// By the kernel, or by qemu itself.
    Console(String),
    /// By the tests.
    Tests(String),
}

/// A running machine; it is ended on drop, and when this process dies.
pub(super) struct Machine {
    process: Child,
    /// Ends when the machine does.
    pub(super) lines: Receiver<Line>,
}

impl Machine {
    /// Boots a kernel with its first root, under software emulation.
    pub(super) fn boot(kernel: &Path, initramfs: &Path, clock: Clock) -> Result<Self> {
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(["-accel", "tcg", "-cpu", PROCESSOR, "-m", "2048"]).args(clock.options());
        qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
        // In this order the ports are ttyS0 and ttyS1.
        qemu.args(["-serial", "file:/dev/stderr", "-serial", "stdio"]);
        qemu.arg("-kernel").arg(kernel).arg("-initrd").arg(initramfs);
        qemu.args(["-append", KERNEL_COMMAND_LINE]);
        qemu.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // SAFETY: the closure runs between fork and exec and makes one prctl(2) call, which is
        // async-signal-safe.
        unsafe { qemu.pre_exec(|| Ok(set_pdeathsig(Signal::SIGKILL)?)) };
        let mut process = qemu.spawn().context("starting qemu-system-x86_64")?;
        let (sender, lines) = channel();
        if let Some(stdout) = process.stdout.take() {
            forward(stdout, sender.clone(), Line::Tests);
        }
        if let Some(stderr) = process.stderr.take() {
            forward(stderr, sender, Line::Console);
        }
        Ok(Self { process, lines })
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends lines until either end is closed.
fn forward(output: impl Read + Send + 'static, sender: Sender<Line>, line: fn(String) -> Line) {
    thread::spawn(move || {
        for text in exec::lines(output).map_while(Result::ok) {
            if sender.send(line(text.trim_end().to_owned())).is_err() {
                return;
            }
        }
    });
}
