//! An agent with a configuration file: started, told to read it again, killed and started again.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use throttle_tests::agent::Agent;
use throttle_tests::netns::{Namespace, unique_name};
use throttle_tests::require_root;

const PATIENCE: Duration = Duration::from_secs(10);

/// An agent, its file, and where it runs.
struct Configured {
    agent: Agent,
    file: PathBuf,
    _namespace: Namespace,
}

impl Configured {
    fn new(text: &str) -> Self {
        let namespace = Namespace::new("config").unwrap();
        let file = std::env::temp_dir().join(format!("{}.toml", unique_name()));
        fs::write(&file, text).unwrap();
        let path = file.display().to_string();
        let agent = Agent::start(&namespace, &["--config", &path]).unwrap();
        Self { agent, file, _namespace: namespace }
    }

    fn write(&self, text: &str) {
        fs::write(&self.file, text).unwrap();
    }

    fn hang_up(&self) {
        let process = self.agent.process_id().unwrap();
        kill(Pid::from_raw(process as i32), Signal::SIGHUP).unwrap();
    }

    /// Down rates by prefix.
    fn rates(&self) -> Vec<(String, u64)> {
        let limits: Vec<Value> = self.agent.json("limit list").unwrap();
        let rate = |limit: &Value| {
            let rate = limit["down"]["bits_per_second"].as_u64().unwrap();
            (limit["prefix"].as_str().unwrap().to_owned(), rate)
        };
        limits.iter().map(rate).collect()
    }

    fn wait_for(&self, rates: &[(&str, u64)]) {
        let deadline = Instant::now() + PATIENCE;
        while self.rates() != owned(rates) {
            assert!(Instant::now() < deadline, "{:?}: {}", self.rates(), self.agent.log_tail());
            sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        fs::remove_file(&self.file).unwrap();
    }
}

fn owned(rates: &[(&str, u64)]) -> Vec<(String, u64)> {
    rates.iter().map(|(prefix, rate)| ((*prefix).to_owned(), *rate)).collect()
}

fn file(kbit: u64) -> String {
    format!(
        "[[link]]\ninterface = \"lo\"\nhosts = \"near\"\ndown = \"1gbit\"\n\
         [[limit]]\nprefix = \"10.0.0.0/24\"\ndown = \"{kbit}kbit\"\n"
    )
}

#[test]
fn a_file_is_in_force_from_the_start_and_again_after_a_hang_up() {
    require_root!();
    let configured = Configured::new(&file(10));
    assert_eq!(configured.rates(), owned(&[("10.0.0.0/24", 10_000)]));
    let link: Value = configured.agent.json("link show lo").unwrap();
    assert_eq!(
        (&link["side"], &link["down"]["bits_per_second"]),
        (&"near".into(), &1_000_000_000.into())
    );
    configured.write(&file(20));
    configured.hang_up();
    configured.wait_for(&[("10.0.0.0/24", 20_000)]);
    configured.write(&file(30));
    configured.agent.done("reload").unwrap();
    assert_eq!(configured.rates(), owned(&[("10.0.0.0/24", 30_000)]));
}

#[test]
fn a_broken_file_leaves_the_policy_and_the_agent() {
    require_root!();
    let configured = Configured::new(&file(10));
    configured.write("[[limit]]\nprefix = \"10.0.0.0/24\"\ndown = \"fast\"\nup = \"slow\"\n");
    let outcome = configured.agent.cli("reload").unwrap();
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    for expected in [":3:8: down: rate \"fast\"", ":4:6: up: rate \"slow\""] {
        assert!(outcome.stderr.contains(expected), "{outcome:?}");
    }
    configured.hang_up();
    let deadline = Instant::now() + PATIENCE;
    while !configured.agent.log().contains("the policy stays as it was") {
        assert!(Instant::now() < deadline, "{}", configured.agent.log_tail());
        sleep(Duration::from_millis(20));
    }
    assert_eq!(configured.rates(), owned(&[("10.0.0.0/24", 10_000)]));
    configured.write(&file(20));
    configured.agent.done("reload").unwrap();
    assert_eq!(configured.rates(), owned(&[("10.0.0.0/24", 20_000)]));
}

#[test]
fn changes_survive_a_reload_and_a_restart_until_the_file_says_otherwise() {
    require_root!();
    let mut configured = Configured::new(&file(10));
    configured.agent.done("limit set 10.0.0.0/24 --down 11kbit").unwrap();
    configured.agent.done("limit set 10.1.0.0/24 --down 12kbit").unwrap();
    configured.agent.done("link set lo --down 2gbit").unwrap();
    let changed = owned(&[("10.0.0.0/24", 11_000), ("10.1.0.0/24", 12_000)]);
    configured.agent.done("reload").unwrap();
    assert_eq!(configured.rates(), changed);
    configured.agent.kill().unwrap();
    configured.agent.restart().unwrap();
    assert_eq!(configured.rates(), changed);
    let link: Value = configured.agent.json("link show lo").unwrap();
    assert_eq!(link["down"]["bits_per_second"], 2_000_000_000_u64);
    configured.write(&file(20));
    configured.agent.done("reload").unwrap();
    assert_eq!(configured.rates(), owned(&[("10.0.0.0/24", 20_000), ("10.1.0.0/24", 12_000)]));
}

#[test]
fn a_file_that_changed_while_no_agent_ran_is_in_force_at_the_next_start() {
    require_root!();
    let mut configured = Configured::new(&file(10));
    configured.agent.kill().unwrap();
    configured.write(&file(20));
    configured.agent.restart().unwrap();
    assert_eq!(configured.rates(), owned(&[("10.0.0.0/24", 20_000)]));
    configured.agent.kill().unwrap();
    configured.write("nonsense");
    assert!(configured.agent.restart().is_err());
    configured.write(&file(20));
    configured.agent.restart().unwrap();
    assert_eq!(configured.rates(), owned(&[("10.0.0.0/24", 20_000)]));
}

#[test]
fn changes_are_forgotten_with_an_ephemeral_agents_pins_only() {
    require_root!();
    let namespace = Namespace::new("config").unwrap();
    let mut agent = Agent::start(&namespace, &["--iface", "lo", "--ephemeral"]).unwrap();
    agent.done("limit set 10.0.0.0/24 --down 11kbit").unwrap();
    assert!(!agent.saved().exists());
    agent.kill().unwrap();
    agent.restart().unwrap();
    let limits: Vec<Value> = agent.json("limit list").unwrap();
    assert_eq!(limits.len(), 1);
    agent.detach_all().unwrap();
}

#[test]
fn the_service_manager_hears_of_start_reload_and_end() {
    require_root!();
    let namespace = Namespace::new("config").unwrap();
    let base = std::env::temp_dir().join(unique_name());
    let (socket, config) = (base.with_extension("notify"), base.with_extension("toml"));
    fs::write(&config, file(10)).unwrap();
    let listener = UnixDatagram::bind(&socket).unwrap();
    listener.set_read_timeout(Some(PATIENCE)).unwrap();
    let heard = || {
        let mut buffer = [0; 4096];
        let length = listener.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let path = config.display().to_string();
    let arguments = ["--config", path.as_str()];
    let environment = [("NOTIFY_SOCKET", socket.display().to_string())];
    let mut agent = Agent::start_with(&namespace, &arguments, &environment).unwrap();
    assert!(heard().contains("READY=1\nSTATUS=1 link, 1 limit"));
    for (text, status) in
        [(file(20), "STATUS=1 link, 1 limit"), ("nonsense".to_owned(), "STATUS=reload failed: ")]
    {
        fs::write(&config, text).unwrap();
        let process = Pid::from_raw(agent.process_id().unwrap() as i32);
        kill(process, Signal::SIGHUP).unwrap();
        let reloading = heard();
        assert!(reloading.contains("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
        let ready = heard();
        assert!(ready.contains("READY=1") && ready.contains(status), "{ready}");
    }
    agent.end().unwrap();
    assert!(heard().contains("STOPPING=1"));
    fs::remove_file(&socket).unwrap();
    fs::remove_file(&config).unwrap();
}
