//! Asks over HTTP, from inside a namespace.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::netns::Namespace;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status, such as 200.
    pub status: u16,
    /// The status line and the headers.
    pub head: String,
    /// What follows them.
    pub body: String,
}

/// Gets `path` from `address` inside `namespace`, with further lines of headers.
pub fn get(
    namespace: &Namespace,
    address: SocketAddr,
    path: &str,
    headers: &[&str],
) -> Result<Answer> {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    // Version 1.0 keeps the body in one piece and ends the connection after it.
    let request = format!("GET {path} HTTP/1.0\r\n{headers}\r\n");
    let ask = || -> Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    let text = namespace.run(ask)?.with_context(|| format!("getting {path} from {address}"))?;
    let (head, body) = text.split_once("\r\n\r\n").with_context(|| format!("no head in {text}"))?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.with_context(|| format!("no status in {head}"))?;
    Ok(Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() })
}

/// Makes a text fit for the query of an address.
pub fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let escape = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(escape).collect()
}
