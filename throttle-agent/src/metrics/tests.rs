//! The metrics address from end to end, around an engine of tables.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
    time::Instant,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};

use super::*;
use crate::{
    agent::{Agent, Info, fake::FakeEngine},
    control::claim,
    instance::Instance,
    policy::LimitRequest,
};

struct Running {
    agent: Arc<Agent>,
    address: SocketAddr,
    server: JoinHandle<()>,
    _directory: TempDir,
}

impl Running {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let instance: Instance = "test".parse().unwrap();
        let socket = instance.socket(directory.path());
        let (_, file) = claim(&socket).unwrap();
        let info = Info { instance, socket, adopted: false, started: Instant::now() };
        let agent = Arc::new(Agent::new(info, Box::new(FakeEngine::new()), file));
        agent.sample().await.unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve(listener, Arc::clone(&agent), 1));
        Self { agent, address, server, _directory: directory }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends a request with these lines of headers, and returns the whole answer.
    async fn ask(&self, request: &str, headers: &str) -> String {
        let mut stream = self.connect().await;
        let text = format!("{request} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path}"), "Host: localhost\r\n").await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test]
async fn metrics_come_in_the_format_that_is_asked_for() {
    let running = Running::start().await;
    let open = running.get("/metrics").await;
    assert!(open.starts_with("HTTP/1.1 200 OK\r\n"), "{open}");
    assert!(open.contains("content-type: application/openmetrics-text; version=1.0.0"), "{open}");
    assert!(open.ends_with("# EOF\n"));
    let classic = running.ask("GET /metrics", "Host: localhost\r\nAccept: text/plain\r\n").await;
    assert!(classic.contains("content-type: text/plain; version=0.0.4"), "{classic}");
    assert!(body(&classic).contains("# TYPE throttle_link_bytes_total counter\n"));
    let head = running.ask("HEAD /metrics", "Host: localhost\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && body(&head).is_empty(), "{head}");
}

#[tokio::test]
async fn the_page_asks_for_nothing_that_is_not_served() {
    let running = Running::start().await;
    let page = running.get("/").await;
    assert!(page.contains("content-security-policy: default-src 'none'"), "{page}");
    let mut parts = vec!["page.css".to_owned(), "page.js".to_owned()];
    while let Some(part) = parts.pop() {
        let answer = running.get(&format!("/{part}")).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{part}: {answer}");
        let imports = answer.lines().filter_map(|line| {
            let (_, path) = line.split_once("from \"./")?;
            Some(path.trim_end_matches("\";").to_owned())
        });
        parts.extend(imports);
    }
}

#[tokio::test]
async fn the_page_shows_the_newest_sample_with_its_policy() {
    let running = Running::start().await;
    let prefix = "10.0.0.0/24".parse().unwrap();
    let action = "pass".parse().unwrap();
    let limit = LimitRequest { action, ..LimitRequest::default() }.check(prefix).unwrap().value;
    running.agent.with(move |engine| engine.set_limit(&limit)).await.unwrap();
    running.agent.sample().await.unwrap();
    tokio::task::yield_now().await;
    let live: serde_json::Value =
        serde_json::from_str(body(&running.get("/api/live").await)).unwrap();
    assert_eq!(live["instance"], "test");
    assert_eq!(live["links"][0]["interface"], "eth1");
    assert_eq!(live["top_hosts"][0]["host"], "10.0.0.7");
    assert_eq!(live["limits"][0]["prefix"], "10.0.0.0/24");
    assert_eq!(live["policies"]["10.0.0.0/24"]["action"], "pass");
}

#[tokio::test]
async fn a_host_is_looked_up_and_a_stranger_is_refused() {
    let running = Running::start().await;
    let known = running.get("/api/hosts/10.0.0.7").await;
    assert!(known.starts_with("HTTP/1.1 200 OK\r\n") && known.contains("\"wait_ns\":9"), "{known}");
    let unknown = running.get("/api/hosts/10.0.0.8").await;
    assert!(unknown.starts_with("HTTP/1.1 404 ") && unknown.contains("not known"), "{unknown}");
}

#[tokio::test]
async fn nothing_can_be_changed_and_nothing_else_is_there() {
    let running = Running::start().await;
    for request in ["PUT /api/limits/10.0.0.0/24", "DELETE /metrics", "POST /"] {
        let answer = running.ask(request, "Host: localhost\r\nContent-Length: 0\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 405 "), "{request}: {answer}");
    }
    for path in ["/v1/status", "/v1/detach", "/api", "/../etc/passwd"] {
        let answer = running.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_private_address_does_not_answer_to_a_strangers_name() {
    let running = Running::start().await;
    let answer = running.ask("GET /metrics", "Host: evil.example:9190\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn peers_that_say_nothing_make_room_for_others() {
    let running = Running::start().await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(running.connect().await);
    }
    for stream in &mut silent {
        // Returns once it is closed: for want of room, or when the time for headers is over.
        let _closed = stream.read_to_end(&mut Vec::new()).await;
    }
    assert!(running.get("/metrics").await.starts_with("HTTP/1.1 200 OK\r\n"));
}
