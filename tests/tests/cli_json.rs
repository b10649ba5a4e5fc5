//! The JSON of every command keeps its shape: what programs read today, they can read tomorrow.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use throttle_tests::flood::Flood;
use throttle_tests::lab::Lab;
use throttle_tests::require_root;
use throttle_tests::router::End;
use throttle_tests::shape::Shape;
use throttle_tests::traffic::{Family, MBIT};

const HOST: End = End::host(0);

/// Set, this variable has the file written anew instead of compared.
const RENEW: &str = "RENEW_SHAPES";

/// Commands in an order in which each finds what it shows; the first two make that there is.
const COMMANDS: &[&str] = &[
    "group set acme --down 100mbit --up-pps 5kpps",
    "limit set 10.77.0.0/24 --up 10mbit --down-pps 10/10ms --group acme --one-time-burst 1mb",
    "limit set 10.77.0.10 --total 1mib/100ms --total-pps 5kpps --packet-unit 1500b",
    "limit set 192.0.2.0/24 --match peer --action pass",
    "link set lan0 --down 1gbit --overhead 38",
    "limit show 10.77.0.10",
    "limit list",
    "group show acme",
    "group list",
    "link show lan0",
    "link list",
    "host show 10.77.0.10",
    "host list --top 1",
    "stats",
    "status",
    "limit del 10.77.0.0/24",
    "group del acme",
    "detach --iface lan0",
];

#[test]
fn the_json_of_every_command_keeps_its_keys_and_types() {
    require_root!();
    let lab = Lab::new().unwrap();
    let mut shapes = String::new();
    for &command in COMMANDS {
        if command == "host show 10.77.0.10" {
            add(&mut shapes, "events --trace", &reports(&lab));
        }
        add(&mut shapes, command, &lab.agent.json(command).unwrap());
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/json_shapes.txt");
    if std::env::var_os(RENEW).is_some() {
        fs::write(&path, &shapes).unwrap();
    }
    let known = fs::read_to_string(&path).unwrap();
    let differing: Vec<_> =
        shapes.lines().filter(|line| !known.lines().any(|it| it == *line)).collect();
    let missing: Vec<_> =
        known.lines().filter(|line| !shapes.lines().any(|it| it == *line)).collect();
    assert!(
        known == shapes,
        "the JSON has changed: new is {differing:#?}, gone is {missing:#?}; if that is wanted, run this \
         test with {RENEW}=1 and commit {}",
        path.display()
    );
}

fn add(shapes: &mut String, command: &str, value: &Value) {
    for line in Shape::of(value).lines() {
        *shapes += &format!("{command}: {line}\n");
    }
}

/// An array of one second's reports, about a host with traffic.
fn reports(lab: &Lab) -> Value {
    let _flood = Flood::new(&lab.router, HOST, End::Server, Family::V4).rate(MBIT).start();
    let mut command = lab.agent.command();
    command.args(["--json", "events", "--trace", "bandwidth,packets,load,debug"]);
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let told = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    // Of the first second, nobody knows the excess before.
    let reports = told.filter(|told| told["event"].is_null()).skip(4).take(4).collect();
    process.kill().unwrap();
    process.wait().unwrap();
    // The rates that hosts are shown with are those of a whole second.
    sleep(Duration::from_millis(100));
    Value::Array(reports)
}
