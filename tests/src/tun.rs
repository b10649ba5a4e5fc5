//! A tunnel as a daemon makes it: two tun devices, and a process that carries packets between them.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::netns::Namespace;
use crate::tap;

/// How often a thread that has nothing to carry looks whether it should end, in milliseconds.
const IDLE_MS: u8 = 20;

/// Carries what is sent into either of two tun devices to the other; both vanish when dropped.
#[derive(Debug)]
pub struct Cable {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Cable {
    /// Makes both devices, down and without addresses.
    pub fn lay(one: (&Namespace, &str), other: (&Namespace, &str)) -> Result<Self> {
        let open = |(namespace, name): (&Namespace, &str)| {
            tap::open(namespace, name, libc::IFF_TUN | libc::IFF_NO_PI)
        };
        let (one, other) = (open(one)?, open(other)?);
        let (again, back) = (one.try_clone()?, other.try_clone()?);
        let mut cable = Self { stop: Arc::default(), threads: Vec::new() };
        for (from, to) in [(one, other), (back, again)] {
            let stop = Arc::clone(&cable.stop);
            let carry =
                move || carry(&from, &to, &stop).unwrap_or_else(|error| panic!("{error:#}"));
            cable.threads.push(thread::spawn(carry));
        }
        Ok(cable)
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic of the thread has been printed already.
            let _ = thread.join();
        }
    }
}

fn carry(mut from: &File, mut to: &File, stop: &AtomicBool) -> Result<()> {
    let mut packet = [0; 65536];
    while !stop.load(Ordering::Relaxed) {
        let mut waiting = [PollFd::new(from.as_fd(), PollFlags::POLLIN)];
        if poll(&mut waiting, PollTimeout::from(IDLE_MS))? > 0 {
            let length = from.read(&mut packet).context("reading from a tun device")?;
            // A device that is down, or has no room, loses the packet.
            let _ = to.write(&packet[..length]);
        }
    }
    Ok(())
}
