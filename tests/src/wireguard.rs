//! WireGuard tunnels between two namespaces.

use std::net::SocketAddr;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::command;
use crate::netns::Namespace;

/// A handshake that is lost, as when both ends begin one at once, is tried again after 5 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// One end of a tunnel.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    /// Where it is.
    pub namespace: &'a Namespace,
    /// Its WireGuard device, which is made without addresses and is down.
    pub interface: &'a str,
    /// Where the other end reaches it, as `ADDRESS:PORT`.
    pub endpoint: &'a str,
    /// The prefixes from which it may send, separated by commas.
    pub addresses: &'a str,
}

/// Makes the devices of two ends that know each other. They take packets of up to 1500 bytes, to which the tunnel
/// adds up to 80.
pub fn connect(one: Peer<'_>, other: Peer<'_>) -> Result<()> {
    let [one_key, other_key] = [private_key()?, private_key()?];
    for (own, own_key, peer, peer_key) in
        [(one, &one_key, other, &other_key), (other, &other_key, one, &one_key)]
    {
        let Peer { namespace, interface, endpoint, .. } = own;
        namespace.ip(&format!("link add {interface} mtu 1500 type wireguard\n"))?;
        let address: SocketAddr =
            endpoint.parse().with_context(|| format!("reading endpoint {endpoint}"))?;
        let mut set = namespace.command("wg")?;
        set.args(["set", interface, "listen-port", &address.port().to_string()]);
        set.args(["private-key", "/dev/stdin", "peer", &public_key(peer_key)?]);
        set.args(["endpoint", peer.endpoint, "allowed-ips", peer.addresses]);
        command::run_with_input(&mut set, own_key)?;
    }
    Ok(())
}

/// Makes a device that is up, as is the other end, shake hands with its peer: what is sent later arrives at once.
pub fn greet(namespace: &Namespace, interface: &str) -> Result<()> {
    let wg = |words: &str| command::run(namespace.command("wg")?.args(words.split_whitespace()));
    let peer = wg(&format!("show {interface} peers"))?;
    let keep_alive = |seconds: u32| {
        wg(&format!("set {interface} peer {peer} persistent-keepalive {seconds}")).map(drop)
    };
    keep_alive(1)?;
    let start = Instant::now();
    while wg(&format!("show {interface} latest-handshakes"))?.split_whitespace().last() == Some("0")
    {
        ensure!(start.elapsed() < PATIENCE, "the peers of {interface} do not shake hands");
        sleep(Duration::from_millis(50));
    }
    keep_alive(0)
}

fn private_key() -> Result<String> {
    command::run(Command::new("wg").arg("genkey"))
}

fn public_key(private_key: &str) -> Result<String> {
    let key = command::run_with_input(Command::new("wg").arg("pubkey"), private_key)?;
    Ok(key.trim_end().to_owned())
}
