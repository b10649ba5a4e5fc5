//! A TCP port of the loopback interface that leads to a unix socket, for clients that know no others.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result};

/// A port that leads to a unix socket until dropped.
#[derive(Debug)]
pub struct Forward {
    address: SocketAddr,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Forward {
    /// Makes a port that leads to the socket at `path`.
    pub fn to(path: &Path) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("taking a port")?;
        let address = listener.local_addr()?;
        let ends = Arc::new(AtomicBool::new(false));
        let (path, told) = (path.to_owned(), Arc::clone(&ends));
        let thread = Some(thread::spawn(move || accept(&listener, &path, &told)));
        Ok(Self { address, ends, thread })
    }

    /// The address as the beginning of a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        // Wakes the thread; connections end with their peers.
        let woken = TcpStream::connect(self.address).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, path: &PathBuf, ends: &AtomicBool) {
    for client in listener.incoming().map_while(Result::ok) {
        if ends.load(Ordering::Relaxed) {
            return;
        }
        let Ok(server) = UnixStream::connect(path) else { continue };
        let Ok((from_client, from_server)) = client.try_clone().and_then(|client| {
            let server = server.try_clone()?;
            Ok((client, server))
        }) else {
            continue;
        };
        thread::spawn(move || {
            let _ = io::copy(&mut &from_client, &mut &server);
            let _ = server.shutdown(Shutdown::Write);
        });
        thread::spawn(move || {
            let _ = io::copy(&mut &from_server, &mut &client);
            let _ = client.shutdown(Shutdown::Both);
        });
    }
}
