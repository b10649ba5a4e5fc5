//! The socket from end to end: server, routes and client around an engine of tables.

use std::{path::Path, sync::Arc, time::Duration, time::Instant};

use hyper::Method;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    task::JoinHandle,
    time::timeout,
};

mod clients;
mod document;
mod events;
mod plan;
mod policy;

use super::*;
use crate::{
    agent::{Agent, Info, fake::FakeEngine},
    error::{Error, Kind},
    instance::Instance,
    policy::{
        GroupView, LimitRequest, LimitView, LinkLimitView, Match, PolicyRequest, RatesRequest,
    },
    telemetry::{HostExplained, HostView, StatsView},
};

struct Running {
    agent: Arc<Agent>,
    client: Client,
    server: JoinHandle<()>,
    directory: TempDir,
}

impl Running {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let instance: Instance = "test".parse().unwrap();
        let run_dir = directory.path().join("throttle");
        let socket = instance.socket(&run_dir);
        let (listener, file) = claim(&socket).unwrap();
        let info =
            Info { instance: instance.clone(), socket, adopted: false, started: Instant::now() };
        let agent = Arc::new(Agent::new(info, Box::new(FakeEngine::new()), file));
        let listener = UnixListener::from_std(listener).unwrap();
        let serving = Arc::clone(&agent);
        let server = tokio::spawn(async move { serve(listener, &serving).await });
        Self { agent, client: Client::new(instance, &run_dir), server, directory }
    }

    fn run_dir(&self) -> std::path::PathBuf {
        self.directory.path().join("throttle")
    }

    async fn set(&self, prefix: &str, down_bits_per_second: u64) -> Result<LimitSet, Error> {
        let down =
            RatesRequest { bits_per_second: Some(down_bits_per_second), ..Default::default() };
        let request = LimitRequest { down, ..Default::default() };
        self.client.send(Method::PUT, &format!("/v1/limits/{prefix}"), &request).await
    }

    async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        self.client.send(Method::PUT, path, body).await
    }

    /// Sends bytes as they are and returns the whole answer.
    async fn raw(&self, request: &str) -> String {
        let mut stream = UnixStream::connect(&self.agent.info.socket).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

#[tokio::test]
async fn a_limit_is_set_replaced_shown_listed_and_deleted() {
    let running = Running::start();
    let set = running.set("10.0.0.0/24", 10_000_000).await.unwrap();
    assert_eq!(set.change, ChangeName::Created);
    assert_eq!(set.limit.down.burst_bytes, Some(312_500));
    let set = running.set("10.0.0.0/24", 10_000_000).await.unwrap();
    assert_eq!(set.change, ChangeName::Unchanged);
    let set = running.set("10.0.0.0/24", 20_000_000).await.unwrap();
    assert_eq!(set.change, ChangeName::Replaced);

    let shown: LimitView = running.client.get("/v1/limits/10.0.0.0/24").await.unwrap();
    assert_eq!(shown, set.limit);
    running.set("2001:db8::/48", 8_000).await.unwrap();
    let listed: Vec<LimitView> = running.client.get("/v1/limits").await.unwrap();
    assert_eq!(listed.len(), 2);

    let deleted: LimitDeleted = running.client.delete("/v1/limits/2001:db8::/48").await.unwrap();
    assert_eq!(deleted.deleted.to_string(), "2001:db8::/48");
    let listed: Vec<LimitView> = running.client.get("/v1/limits").await.unwrap();
    assert_eq!(listed, [shown]);
}

#[tokio::test]
async fn a_prefix_nobody_gave_is_not_found() {
    let running = Running::start();
    for error in [
        running.client.get::<Value>("/v1/limits/10.9.9.0/24").await.unwrap_err(),
        running.client.delete::<Value>("/v1/limits/10.9.9.0/24").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::NotFound);
        assert_eq!(error.to_string(), "prefix 10.9.9.0/24 has no limit");
        assert!(error.hint_text().is_some());
    }
}

#[tokio::test]
async fn unsound_requests_are_refused_and_change_nothing() {
    let running = Running::start();
    let put = async |path: &str, body: Value| {
        running.client.send::<Value>(Method::PUT, path, &body).await.unwrap_err()
    };
    let sound = json!({"down": {"bits_per_second": 8000}});
    for error in [
        put("/v1/limits/10.0.0.5/24", sound.clone()).await,
        put("/v1/limits/nonsense", sound.clone()).await,
        put("/v1/limits/10.0.0.0/24", json!({})).await,
        put("/v1/limits/10.0.0.0/24", json!({"down": {"bits_per_second": 1}})).await,
        put("/v1/limits/10.0.0.0/24", json!({"down": {"bps": 8000}})).await,
        put("/v1/limits/10.0.0.0/24", json!([1])).await,
        put("/v1/limits/10.0.0.0/24", json!({"scope": "x".repeat(100_000)})).await,
        put("/v1/limits/10.0.0.0/24?match=both", sound.clone()).await,
        put("/v1/limits/10.0.0.0/24?match=peer", sound.clone()).await,
        put("/v1/limits/2001:db8::/65", sound.clone()).await,
        put("/v1/groups/-acme", sound.clone()).await,
        put("/v1/groups/acme", json!({})).await,
        put("/v1/links/eth1", json!({"overhead_bytes": 65_536})).await,
        put("/v1/links/eth1", json!({"scope": "each"})).await,
        put("/v1/policy", json!({"limits": [{"prefix": "10.0.0.0/24"}]})).await,
        put("/v1/policy", json!({"limit": []})).await,
    ] {
        assert_eq!(error.kind(), Kind::Usage, "{error}");
    }
    let listed: Vec<LimitView> = running.client.get("/v1/limits").await.unwrap();
    assert_eq!(listed, []);
}

#[tokio::test]
async fn hosts_are_shown_and_listed() {
    let running = Running::start();
    let host: HostExplained = running.client.get("/v1/hosts/10.0.0.7").await.unwrap();
    assert_eq!((host.host.host.as_str(), host.host.down.wait_ns), ("10.0.0.7", 9));
    running.agent.sample().await.unwrap();
    let hosts: Vec<HostView> = running.client.get("/v1/hosts?sort=up&top=5").await.unwrap();
    assert_eq!(hosts, [host.host]);
    for all in ["/v1/hosts", "/v1/hosts?top=1001&sort=excess"] {
        assert_eq!(running.client.get::<Vec<HostView>>(all).await.unwrap(), hosts, "{all}");
    }
    let none: Vec<HostView> = running.client.get("/v1/hosts?top=0").await.unwrap();
    assert_eq!(none, []);
}

#[tokio::test]
async fn bad_json_is_answered_without_names_of_ours() {
    let running = Running::start();
    for (path, body) in [
        ("/v1/limits/10.0.0.0/24", json!([])),
        ("/v1/limits/10.0.0.0/24", json!({"down": {"bits_per_second": "8000"}})),
        ("/v1/limits/10.0.0.0/24", json!({"down": {"bits_per_second": -1}})),
        ("/v1/limits/10.0.0.0/24", json!({"group": 5})),
        ("/v1/limits/10.0.0.0/24", json!({"scope": 5})),
        ("/v1/groups/acme", json!(5)),
        ("/v1/links/eth1", json!([1])),
        ("/v1/policy", json!({"limits": [5]})),
        ("/v1/policy", json!({"groups": [{"name": 5}]})),
    ] {
        let error = running.client.send::<Value>(Method::PUT, path, &body).await.unwrap_err();
        assert_says_nothing_of_ours(&error);
    }
    for body in [json!(5), json!({"all": 5}), json!({"interface": {}}), json!({"al": {}})] {
        let asked = running.client.send::<Value>(Method::POST, "/v1/detach", &body).await;
        assert_says_nothing_of_ours(&asked.unwrap_err());
    }
    for path in ["/v1/stats/stream?every_seconds=0", "/v1/hosts?top=-1", "/v1/hosts?sort=x"] {
        assert_says_nothing_of_ours(&running.client.get::<Value>(path).await.unwrap_err());
    }
}

fn assert_says_nothing_of_ours(error: &Error) {
    assert_eq!(error.kind(), Kind::Usage, "{error}");
    let text = error.to_string();
    for ours in ["Request", "Entry", "struct", "enum", "u64", "u32", "usize", "::", "Query"] {
        assert!(!text.contains(ours), "{ours} is in {text}");
    }
}

#[tokio::test]
async fn an_unknown_host_is_explained_if_a_limit_holds_it() {
    let running = Running::start();
    let error = running.client.get::<Value>("/v1/hosts/10.0.0.8").await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    running.set("10.0.0.0/24", 8_000).await.unwrap();
    let host: HostExplained = running.client.get("/v1/hosts/10.0.0.8").await.unwrap();
    assert_eq!(
        (host.place, host.host.last_seen_seconds_ago),
        (crate::datapath::Place::Absent, None)
    );
    assert_eq!(host.host.limit, Some("10.0.0.0/24".parse().unwrap()));
    let error = running.client.get::<Value>("/v1/hosts?sort=sideways").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
}

#[tokio::test]
async fn status_and_stats_answer() {
    let running = Running::start();
    running.set("10.0.0.0/24", 8_000).await.unwrap();
    let status: StatusView = running.client.get("/v1/status").await.unwrap();
    assert_eq!((status.instance.as_str(), status.limits, status.links.len()), ("test", 1, 2));
    let stats: StatsView = running.client.get("/v1/stats").await.unwrap();
    assert_eq!((stats.links.len(), stats.limits.len()), (2, 1));
    assert_eq!(stats.hosts.overflowed, 12);
    assert_eq!(status.warnings, Vec::<String>::new());
}

#[tokio::test]
async fn the_stream_follows_the_samples_and_ends_with_the_agent() {
    let running = Running::start();
    running.agent.sample().await.unwrap();
    let mut seen = 0;
    let agent = Arc::clone(&running.agent);
    let streamed = running.client.lines("/v1/stats/stream", |stats: StatsView| {
        seen += 1;
        assert_eq!(stats.links.len(), 2);
        let agent = Arc::clone(&agent);
        tokio::spawn(
            async move { if seen < 3 { agent.sample().await.unwrap() } else { agent.stop() } },
        );
        Ok(())
    });
    let error = timeout(Duration::from_secs(10), streamed).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), Kind::NotRunning);
    assert_eq!(seen, 3);
    running.server.await.unwrap();
}

#[tokio::test]
async fn the_stream_is_of_events_for_those_who_accept_them() {
    let running = Running::start();
    running.agent.sample().await.unwrap();
    let mut stream = UnixStream::connect(&running.agent.info.socket).await.unwrap();
    let request = "GET /v1/stats/stream HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}\n\n\r\n") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
    }
    let text = String::from_utf8(answer).unwrap();
    assert!(text.contains("content-type: text/event-stream"), "{text}");
    assert!(text.contains("\r\ndata: {\"links\":["), "{text}");
    running.agent.stop();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert!(rest.ends_with("0\r\n\r\n"), "{rest}");
}

#[tokio::test]
async fn one_interface_is_detached_and_the_rest_stays() {
    let running = Running::start();
    let one = DetachRequest::Interface("eth1".into());
    let answer: Detached = running.client.send(Method::POST, "/v1/detach", &one).await.unwrap();
    assert_eq!(answer.detached, ["eth1"]);
    let error = running.client.send::<Value>(Method::POST, "/v1/detach", &one).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert_eq!(error.to_string(), "interface eth1 is not attached");
    assert_eq!(error.hint_text(), Some("attached are eth2"));
}

#[tokio::test]
async fn detaching_everything_leaves_no_file_and_ends_the_agent() {
    let running = Running::start();
    let all = DetachRequest::All {};
    let answer: Detached = running.client.send(Method::POST, "/v1/detach", &all).await.unwrap();
    assert_eq!(answer.detached, ["eth1", "eth2"]);
    assert!(!running.run_dir().exists());
    timeout(Duration::from_secs(10), running.server).await.unwrap().unwrap();
}

#[tokio::test]
async fn without_an_agent_the_client_says_how_to_start_one() {
    let client = Client::new("wan".parse().unwrap(), Path::new("/nonexistent"));
    let error = client.get::<Value>("/v1/status").await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotRunning);
    assert!(error.to_string().contains("no agent runs for instance wan"));
    assert_eq!(error.hint_text(), Some("start one: throttle-agent run --instance wan --iface IF"));
}

#[tokio::test]
async fn a_dead_agents_socket_is_no_agent() {
    let directory = tempfile::tempdir().unwrap();
    drop(UnixListener::bind(directory.path().join("default.sock")).unwrap());
    let client = Client::new("default".parse().unwrap(), directory.path());
    assert_eq!(client.get::<Value>("/v1/status").await.unwrap_err().kind(), Kind::NotRunning);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_in_vain_hears_what_may_still_come() {
    let directory = tempfile::tempdir().unwrap();
    let _silent = UnixListener::bind(directory.path().join("wan.sock")).unwrap();
    let client = Client::new("wan".parse().unwrap(), directory.path());
    let error = client.delete::<Value>("/v1/limits/10.0.0.0/24").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Failed);
    assert!(error.to_string().ends_with("wan.sock in 30s"), "{error}");
    let hint = error.hint_text().unwrap();
    assert!(hint.contains("as a whole or not at all"), "{hint}");
    assert!(hint.contains("throttle-agent status --instance wan"), "{hint}");
}

#[tokio::test]
async fn strangers_hear_a_refusal_whatever_they_ask() {
    let running = Running::start();
    let listener = UnixListener::bind(running.directory.path().join("default.sock")).unwrap();
    let server =
        tokio::spawn(
            async move { axum::serve(listener, routes::refusing(gate::stranger())).await },
        );
    let client = Client::new("default".parse().unwrap(), running.directory.path());
    let error = client.get::<Value>("/v1/limits").await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotPermitted);
    assert!(error.to_string().contains("group throttle"));
    server.abort();
}
