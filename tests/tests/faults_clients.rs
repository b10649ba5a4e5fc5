//! Clients of the control socket that are slow and malformed, while limits hold.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use throttle_tests::lab::Lab;
use throttle_tests::ledger::Ledger;
use throttle_tests::restrict::{NOBODY, with_group_throttle};
use throttle_tests::router::End;
use throttle_tests::traffic::MBIT;
use throttle_tests::{member, require_root};

const GROUP: u32 = 54_322;
/// Far longer than the agent waits for anyone.
const PATIENCE: Duration = Duration::from_secs(40);

const BAD_REQUEST: &str = "HTTP/1.1 400";

#[test]
fn limits_hold_and_root_changes_them_while_clients_are_slow_and_malformed() {
    require_root!();
    let mut lab = Lab::new().unwrap();
    with_group_throttle(GROUP, NOBODY.1, || {
        lab.agent.kill().unwrap();
        lab.agent.restart().unwrap();
        lab.agent.done("limit set 10.77.0.0/24 --scope each --down 4900kbit").unwrap();
        let mut ledger = Ledger::open(&lab.router, End::host(0), 5 * MBIT).unwrap();
        let mut slow = member::connect(&lab.agent.socket(), GROUP, 100).unwrap();
        let slow_request = b"GET /v1/limits HTTP/1.1\r\nHost: x\r\nX-Slow: ";
        let malformed: [&[u8]; 3] = [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"PUT /v1/policy HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            b"PUT /v1/limits HTTP/9.9\r\n\r\n",
        ];
        let broken_off =
            b"PUT /v1/policy HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{\"limits\"";
        for round in 0..40 {
            // A letter at a time, to whoever is still connected.
            let letter = slow_request.get(round..=round).unwrap_or(b"x");
            slow.retain_mut(|stream| stream.write_all(letter).is_ok());
            for request in malformed {
                let answer = answer(&lab, request);
                assert!(answer.starts_with(BAD_REQUEST), "{}: {answer}", request.escape_ascii());
            }
            // Whoever breaks off may be hung up on.
            let answer = answer(&lab, broken_off);
            assert!(answer.is_empty() || answer.starts_with(BAD_REQUEST), "{answer}");
            if round % 10 == 0 {
                let rate = ["4900kbit", "5mbit"][round / 10 % 2];
                let words = format!("limit set 10.77.0.0/24 --scope each --down {rate}");
                lab.agent.done(&words).unwrap();
            }
        }
        ledger.assert_held(&"the flood of clients").unwrap();
        assert!(lab.agent.is_running().unwrap());
        drop(slow);
        drop(ledger);
        lab.agent.kill().unwrap();
    })
    .unwrap();
}

/// Sends a request and nothing more; what comes back until the agent hangs up.
fn answer(lab: &Lab, request: &[u8]) -> String {
    let mut stream = UnixStream::connect(lab.agent.socket()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _refused = stream.write_all(request);
    let _refused = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}
