//! Clients other than ours, and what they may do wrong.

use tokio::time::sleep;

use super::*;

/// One request with a body, by other headers than ours.
fn request(line: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
}

/// Checks the status, and that the body is a refusal; returns the whole answer.
fn assert_refused(answer: &str, status: u16, kind: &str) -> String {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(answer.contains("content-type: application/json"), "{answer}");
    let body = answer.split("\r\n\r\n").nth(1).unwrap();
    let refusal: Value = serde_json::from_str(body).unwrap();
    assert_eq!(refusal["kind"], kind, "{answer}");
    assert!(refusal["error"].is_string(), "{answer}");
    answer.to_owned()
}

#[tokio::test]
async fn every_mistake_has_its_status_and_is_answered_with_json() {
    let running = Running::start();
    let limit = r#"{"down":{"bits_per_second":8000}}"#;
    let json = "content-type: application/json; charset=utf-8\r\n";
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    let put = "PUT /v1/limits/10.0.0.0/24";
    for (line, headers, body, status, kind) in [
        ("GET /v1/x", "", "", 404, "not_found"),
        ("GET /", "", "", 404, "not_found"),
        ("GET /v1/limits/10.0.0.0/24", "", "", 404, "not_found"),
        ("GET /v1/limits/%FF", "", "", 400, "usage"),
        ("GET /v1/limits/10.0.0.0%2F33", "", "", 400, "usage"),
        ("GET /v1/hosts?top=-1", "", "", 400, "usage"),
        ("GET /v1/hosts?tip=1", "", "", 400, "usage"),
        ("BREW /v1/status", "", "", 405, "usage"),
        ("POST /v1/detach", json, r#"{"interface":"eth9"}"#, 409, "conflict"),
        (put, "", r#"{"down":"#, 400, "usage"),
        (put, "", "", 400, "usage"),
        (put, json, "[]", 400, "usage"),
        (put, json, r#"{"down":{"bits_per_second":1}}"#, 422, "usage"),
        (put, form, limit, 415, "usage"),
        (put, json, &" ".repeat(64 * 1024 + 1), 413, "usage"),
    ] {
        assert_refused(&running.raw(&request(line, headers, body)).await, status, kind);
    }
    let answer = running.raw(&request(put, json, limit)).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_path_says_which_methods_it_has() {
    let running = Running::start();
    let answer = running.raw(&request("POST /v1/groups/acme", "", "")).await;
    let answer = assert_refused(&answer, 405, "usage");
    assert!(answer.contains("the agent knows no POST /v1/groups/acme"), "{answer}");
    let allow = answer.lines().find_map(|line| line.strip_prefix("allow: ")).unwrap();
    let mut allow: Vec<_> = allow.split(',').collect();
    allow.sort_unstable();
    assert_eq!(allow, ["DELETE", "GET", "HEAD", "PUT"]);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_no_request_is_cut_off() {
    let running = Running::start();
    let begun = tokio::time::Instant::now();
    let answer = running.raw("GET /v1/status HTTP/1.1\r\n").await;
    assert!(begun.elapsed() < Duration::from_secs(60));
    assert!(!answer.contains("200 OK"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_has_asked_is_cut_off_when_it_asks_no_more() {
    let running = Running::start();
    let begun = tokio::time::Instant::now();
    let answer = running.raw("GET /v1/limits HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(begun.elapsed() < Duration::from_secs(60));
    assert!(answer.ends_with("[]"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_in_is_cut_off() {
    let running = Running::start();
    for path in ["/v1/limits/10.0.0.0/24", "/v1/policy"] {
        let head = format!("PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{{");
        let stream = UnixStream::connect(&running.agent.info.socket).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        writer.write_all(head.as_bytes()).await.unwrap();
        let begun = tokio::time::Instant::now();
        let trickling = async move {
            while writer.write_all(b" ").await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        };
        let mut answer = Vec::new();
        let reading = reader.read_to_end(&mut answer);
        let _reset = timeout(Duration::from_secs(60), async { tokio::join!(reading, trickling).0 });
        let _reset = _reset.await.expect("the connection ends");
        assert!(begun.elapsed() < Duration::from_secs(15));
        assert_refused(&String::from_utf8(answer).unwrap(), 408, "failed");
    }
}

#[tokio::test]
async fn requests_that_come_all_at_once_are_answered_one_by_one() {
    let running = Running::start();
    let one = "GET /v1/limits HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = request("GET /v1/groups", "", "");
    let answer = running.raw(&(one.repeat(200) + &last)).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 201);
}
