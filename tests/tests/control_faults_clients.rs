//! Clients of the control socket that do what they should not: the agent ends with them in bounded time
//! and memory, and meanwhile answers others.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use throttle_tests::footprint::Footprint;
use throttle_tests::lab::Lab;
use throttle_tests::restrict::{NOBODY, with_group_throttle};
use throttle_tests::{member, require_root};

const GROUP: u32 = 54_321;

/// Far longer than the agent waits for anyone that sends.
const PATIENCE: Duration = Duration::from_secs(40);

/// How long the agent keeps an idle connection.
const IDLE: Duration = Duration::from_secs(5);

const MIB: u64 = 1 << 20;

/// What answers under way, and the allocator, may keep.
const SLACK_BYTES: u64 = 32 * MIB;

#[test]
fn idle_connections_of_a_member_leave_root_its_own() {
    require_root!();
    let mut lab = Lab::new().unwrap();
    with_group_throttle(GROUP, NOBODY.1, || {
        lab.agent.kill().unwrap();
        lab.agent.restart().unwrap();
        let mut idle = member::connect(&lab.agent.socket(), GROUP, 200).unwrap();
        lab.agent.done("limit set 10.77.0.0/24 --down 3mbit").unwrap();
        let answers: Vec<String> =
            idle.iter_mut().map(|stream| ask(stream, "/v1/limits")).collect();
        let with = |what: &str| answers.iter().filter(|answer| answer.contains(what)).count();
        assert_eq!(with("200 OK"), 16, "{answers:?}");
        let busy = with("503 Service Unavailable");
        assert!(busy > 0 && busy == with(r#""kind":"busy""#), "{answers:?}");
        lab.agent.kill().unwrap();
    })
    .unwrap();
}

#[test]
fn idle_connections_of_root_are_closed_after_a_while() {
    require_root!();
    let lab = Lab::new().unwrap();
    let mut idle = Vec::new();
    let mut ask_beside_idle = || {
        // Those of an attempt before leave room when they are closed.
        idle.clear();
        wait_for_room(&lab);
        // Who has just left has a place until the agent notices, which would come free beside the others.
        std::thread::sleep(Duration::from_millis(200));
        let begun = Instant::now();
        idle = (0..100).map(|_| connect(&lab)).collect();
        let outcome = lab.agent.cli("limit list").unwrap();
        // A machine that holds this up for long enough has them closed before.
        (begun.elapsed() < IDLE).then_some(outcome)
    };
    let outcome = (0..10).find_map(|_| ask_beside_idle()).expect("asked in time");
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("connections"), "{outcome:?}");
    wait_for_room(&lab);
}

fn wait_for_room(lab: &Lab) {
    let begun = Instant::now();
    while lab.agent.cli("limit list").unwrap().code != Some(0) {
        assert!(begun.elapsed() < PATIENCE, "idle connections are kept");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn whoever_sends_slowly_or_garbage_is_hung_up_on() {
    require_root!();
    let lab = Lab::new().unwrap();
    let long = format!("GET /v1/{} HTTP/1.1\r\n", "x".repeat(100_000));
    let body = "PUT /v1/groups/a HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{";
    // What they begin with, and what the answer begins with, if there is one.
    let mut clients: Vec<_> = [
        ("GET /v1/limits HTTP/1.1\r\nHost: x\r\nX-Slow: ", ""),
        (body, "HTTP/1.1 408"),
        ("\0\u{7f}\0garbage\r\n\r\n", "HTTP/1.1 400"),
        (&long, "HTTP/1.1 4"),
    ]
    .map(|(sent, answer)| {
        let mut stream = connect(&lab);
        // One that is hung up on half-way does not mind.
        let _cut = stream.write_all(sent.as_bytes());
        stream.set_nonblocking(true).unwrap();
        (stream, Vec::new(), answer)
    })
    .into();
    let mut half_closed = connect(&lab);
    half_closed.write_all(b"GET /v1/li").unwrap();
    half_closed.shutdown(Shutdown::Write).unwrap();
    assert_eq!(half_closed.read(&mut [0; 1]).unwrap_or(0), 0);
    let begun = Instant::now();
    while !clients.is_empty() {
        assert!(begun.elapsed() < PATIENCE, "still connected: {clients:?}");
        std::thread::sleep(Duration::from_millis(200));
        clients.retain_mut(|(stream, answer, expected)| {
            let _cut = stream.write(b"x");
            let is_open = stream
                .read_to_end(answer)
                .is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
            assert!(is_open || answer.starts_with(expected.as_bytes()), "{expected}: {answer:?}");
            is_open
        });
        lab.agent.done("limit list").unwrap();
    }
}

#[test]
fn whoever_reads_nothing_takes_no_memory() {
    require_root!();
    let lab = Lab::new().unwrap();
    let before = Footprint::of(&lab.agent).unwrap().anonymous_bytes;
    let streams: Vec<_> = ["application/jsonl", "text/event-stream"]
        .iter()
        .cycle()
        .take(16)
        .map(|accepted| {
            let mut stream = connect(&lab);
            let request =
                format!("GET /v1/stats/stream HTTP/1.1\r\nHost: x\r\nAccept: {accepted}\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();
    // Answers of some 40 KiB each, all at once.
    let pipelined: Vec<_> = (0..16).map(|_| fill(&lab, "/v1/openapi.json")).collect();
    for _ in 0..20 {
        lab.agent.done("limit list").unwrap();
    }
    let after = Footprint::of(&lab.agent).unwrap().anonymous_bytes;
    assert!(after < before + SLACK_BYTES, "{before} bytes before, {after} after");
    drop((streams, pipelined));
}

#[test]
fn a_body_without_end_is_refused_before_it_fills_the_memory() {
    require_root!();
    let lab = Lab::new().unwrap();
    let before = Footprint::of(&lab.agent).unwrap().anonymous_bytes;
    for (path, header) in [
        ("/v1/groups/acme", "Content-Length: 100000000"),
        ("/v1/policy", "Content-Length: 100000000"),
        ("/v1/groups/acme", "Transfer-Encoding: chunked"),
        ("/v1/policy", "Transfer-Encoding: chunked"),
    ] {
        let mut stream = connect(&lab);
        write!(stream, "PUT {path} HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n").unwrap();
        let chunk = [format!("{:x}\r\n", 1 << 16).as_bytes(), &[b' '; 1 << 16], b"\r\n"].concat();
        let sent = (0..100_000_000 / chunk.len()).try_for_each(|_| stream.write_all(&chunk));
        assert!(sent.is_err(), "{path} takes all of a body with {header}");
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 413"), "{path} {header}: {answer}");
        lab.agent.done("limit list").unwrap();
        let after = Footprint::of(&lab.agent).unwrap().anonymous_bytes;
        // A whole policy may be held, and twice that while its buffer grows.
        let most = before + 128 * MIB + SLACK_BYTES;
        assert!(after < most, "{path} {header}: {before} bytes before, {after} after");
    }
}

fn connect(lab: &Lab) -> UnixStream {
    let stream = UnixStream::connect(lab.agent.socket()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Asks for one thing; the answer is empty when the agent has hung up.
fn ask(stream: &mut UnixStream, path: &str) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let _cut = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Asks for the same thing again and again, until the agent takes no more.
fn fill(lab: &Lab, path: &str) -> UnixStream {
    let mut stream = connect(lab);
    stream.set_nonblocking(true).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").repeat(100);
    let mut refused = 0;
    while refused < 5 {
        match stream.write(request.as_bytes()) {
            Ok(_) => refused = 0,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                refused += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => panic!("asking for {path}: {error}"),
        }
    }
    stream
}
