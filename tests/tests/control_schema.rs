//! The control socket against the OpenAPI document that it serves, by a client that knows nothing else.

use std::path::{Path, PathBuf};
use std::process::Command;

use throttle_tests::agent::Outcome;
use throttle_tests::folder::Folder;
use throttle_tests::forward::Forward;
use throttle_tests::lab::Lab;
use throttle_tests::{readme, require_root, require_tool};

#[test]
fn the_agent_keeps_what_its_document_promises() {
    require_root!();
    let schemathesis = tool();
    require_tool!(schemathesis);
    let lab = Lab::new().unwrap();
    lab.agent.done("group set acme --down 10mbit").unwrap();
    let forward = Forward::to(&lab.agent.socket()).unwrap();
    let mut command = Command::new(schemathesis);
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemathesis.toml");
    command.arg("--config-file").arg(config).args(["run", "--warnings", "off"]);
    command.arg(format!("{}/v1/openapi.json", forward.url()));
    // What the client keeps goes with it, so that no run knows of another.
    let scratch = Folder::new().unwrap();
    let outcome = Outcome::of(command.current_dir(scratch.path())).unwrap();
    assert_eq!(outcome.code, Some(0), "{}\n{}", outcome.stdout, outcome.stderr);
    let asked = cases(&outcome.stdout).unwrap_or_default();
    assert!(asked >= 1000, "only {asked} requests: {}", outcome.stdout);
}

#[test]
fn the_readmes_examples_of_the_api_work() {
    require_root!();
    let lab = Lab::new().unwrap();
    let scratch = Folder::new().unwrap();
    let readme = readme::text().unwrap();
    let examples = readme.lines().map(str::trim).filter(|line| line.starts_with("curl "));
    let mut count = 0;
    // What is followed without end would have to be stopped.
    for example in examples.filter(|line| !line.contains(" -N ")) {
        let line =
            example.replace("/run/throttle/default.sock", &lab.agent.socket().to_string_lossy());
        let mut shell = Command::new("sh");
        shell.args(["-c", &line.replace("curl ", "curl --silent --show-error --fail-with-body ")]);
        let outcome = Outcome::of(shell.current_dir(scratch.path())).unwrap();
        assert_eq!(outcome.code, Some(0), "{example}: {outcome:?}");
        count += 1;
    }
    assert_eq!(count, 7);
}

/// Requests that it made: `N generated, N passed`.
fn cases(report: &str) -> Option<u64> {
    let line = report.lines().find_map(|line| line.split_once(" generated,"))?;
    line.0.trim().parse().ok()
}

/// Where `cargo xtask setup` installs it.
fn tool() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    workspace.join("target/tools/schemathesis/bin/schemathesis")
}
