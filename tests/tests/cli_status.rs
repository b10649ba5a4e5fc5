//! What `status` tells of links: where their programs are, and what is in their packets' way.

use serde_json::{Value, json};
use throttle_tests::agent::Agent;
use throttle_tests::bpf::{self, NEXT, ProgramType, instruction};
use throttle_tests::command;
use throttle_tests::foreign::{BPFFS, Foreign, HOOKS, Place, Program};
use throttle_tests::lab::Lab;
use throttle_tests::netns::{Namespace, unique_name};
use throttle_tests::require_root;
use throttle_tests::router::{End, Router};

#[test]
fn the_place_in_the_chain_and_the_qdisc_are_told() {
    require_root!();
    let lab = Lab::with(Router::new().unwrap(), &["--iface", "lan0", "--hook", "tcx"]).unwrap();
    let router = lab.router.namespace(End::Router);
    let others = [Place::TcxFirst, Place::TcxLast].map(|place| {
        Foreign::attach(router, "lan0", HOOKS[0], place, Program::answering(NEXT)).unwrap()
    });
    router.tc("qdisc replace dev lan0 root handle 1: htb").unwrap();
    let link = link(&lab, "lan0");
    assert_eq!(link["ingress"], json!({"place": 2, "of": 3}));
    assert_eq!(link["egress"], json!({"place": 1, "of": 1}));
    assert_eq!((&link["qdisc"], &link["state"]), (&json!("htb"), &json!("up")));
    assert_eq!(link["warnings"], json!([]));
    let text = lab.agent.done("status").unwrap();
    let row = text.lines().find(|line| line.starts_with("lan0")).unwrap();
    assert!(row.contains("2/3") && row.contains("1/1") && row.contains("htb"), "{text}");
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    drop(others);
}

#[test]
fn priority_and_handle_of_a_filter_are_told() {
    require_root!();
    let lab = Lab::with(Router::new().unwrap(), &["--iface", "lan0", "--hook", "clsact"]).unwrap();
    let link = link(&lab, "lan0");
    assert_eq!(link["hook"], "clsact");
    let filters =
        throttle_tests::hooks::filters(lab.router.namespace(End::Router), "lan0", "ingress");
    let filters = filters.unwrap();
    for hook in ["ingress", "egress"] {
        let (priority, handle) = (&link[hook]["priority"], link[hook]["handle"].as_u64().unwrap());
        assert!(filters.contains(&format!("pref {priority} ")), "{filters}");
        assert!(filters.contains(&format!("handle {handle:#x} ")), "{filters}");
    }
}

#[test]
fn packets_that_are_charged_twice_are_told() {
    require_root!();
    let router = Router::with_lans(2).unwrap();
    let bridge = "link add br0 type bridge\nlink set br0 up\nlink set lan1 master br0";
    router.namespace(End::Router).ip(bridge).unwrap();
    let interfaces = ["--iface", "lan1", "--iface", "br0", "--iface", "wan0:near"];
    let lab = Lab::with(router, &interfaces).unwrap();
    assert_warned(&lab, "br0", &["packets of br0 go through lan1 as well"]);
    assert_warned(&lab, "wan0", &["wan0 has hosts near and", "charged to its host twice"]);
    assert_eq!(link(&lab, "lan1")["warnings"], json!([]));
    let outcome = lab.agent.cli("status").unwrap();
    assert!(outcome.stderr.contains("warning: wan0 has hosts near"), "{outcome:?}");
}

#[test]
fn another_instance_on_the_same_interface_is_told() {
    require_root!();
    let lab = Lab::with(Router::new().unwrap(), &["--iface", "lan0", "--hook", "tcx"]).unwrap();
    let router = lab.router.namespace(End::Router);
    for hook in ["tcx", "clsact"] {
        let other = Agent::start(router, &["--iface", "lan0", "--hook", hook]).unwrap();
        let instance = format!("instance {}", other.instance());
        assert_warned(&lab, "lan0", &[&instance, "attached to lan0 as well"]);
        let status: Value = other.json("status").unwrap();
        let words = status["links"][0]["warnings"].to_string();
        assert!(words.contains(&format!("instance {}", lab.agent.instance())), "{words}");
    }
}

#[test]
fn an_xdp_program_is_told() {
    require_root!();
    let lab = Lab::new().unwrap();
    let pass = [instruction(0xb7, 0, 0, 0, 2), instruction(0x95, 0, 0, 0, 0)];
    let program = bpf::load(ProgramType::Xdp, &pass).unwrap();
    let pin = std::path::Path::new(BPFFS).join(unique_name());
    bpf::pin(&program, &pin).unwrap();
    let attach = format!("link set dev lan0 xdpgeneric pinned {}", pin.display());
    // Unlike `ip -n`, this one sees the pins.
    let mut ip = lab.router.namespace(End::Router).command("ip").unwrap();
    let attached = command::run(ip.args(attach.split_whitespace()));
    std::fs::remove_file(&pin).unwrap();
    attached.unwrap();
    assert_warned(&lab, "lan0", &["an XDP program on lan0 gets packets first"]);
}

#[test]
fn what_no_packet_passes_is_told() {
    require_root!();
    let lab = Lab::new().unwrap();
    lab.router.namespace(End::host(0)).ip("link set eth0 down").unwrap();
    assert_eq!(link(&lab, "lan0")["state"], "no_carrier");
    assert_warned(&lab, "lan0", &["lan0 has no carrier"]);
    lab.router.namespace(End::Router).ip("link set lan0 down").unwrap();
    assert_eq!(link(&lab, "lan0")["state"], "down");
    assert_warned(&lab, "lan0", &["`ip link set lan0 up`"]);
}

#[test]
fn small_bursts_are_counted() {
    require_root!();
    let lab = Lab::new().unwrap();
    lab.limit_set("10.77.0.0/24 --down 100mbit --burst 20ms").unwrap();
    lab.limit_set("10.77.1.0/24 --down 100mbit --burst 64kb").unwrap();
    let words = status(&lab)["warnings"].to_string();
    assert!(words.contains("2 limits have bursts, 10.77.0.0/24 among them"), "{words}");
}

#[test]
fn the_network_namespace_is_told_and_whether_its_name_means_another() {
    require_root!();
    let mut lab = Lab::new().unwrap();
    let name = lab.router.namespace(End::Router).name().to_owned();
    let netns = &status(&lab)["netns"];
    assert_eq!(netns["name"], *name);
    let inode = std::fs::metadata(format!("/run/netns/{name}")).unwrap();
    assert_eq!(netns["inode"], std::os::unix::fs::MetadataExt::ino(&inode));
    let aside = Aside::of(&name);
    let words = status(&lab)["warnings"].to_string();
    assert!(words.contains(&format!("network namespace {name} is another one now")), "{words}");
    drop(aside);
    assert_eq!(status(&lab)["warnings"], json!([]));
    assert!(lab.agent.is_running().unwrap());
}

/// Another namespace over the name of one, until dropped.
struct Aside(std::path::PathBuf, #[expect(dead_code, reason = "holds the other one")] Namespace);

impl Aside {
    fn of(name: &str) -> Self {
        let other = Namespace::new("aside").unwrap();
        let path = std::path::Path::new("/run/netns").join(name);
        let from = path.with_file_name(other.name());
        let bind = nix::mount::MsFlags::MS_BIND;
        nix::mount::mount(Some(&from), &path, None::<&str>, bind, None::<&str>).unwrap();
        Self(path, other)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        nix::mount::umount(&self.0).expect("taking the other namespace from the name");
    }
}

fn status(lab: &Lab) -> Value {
    lab.agent.json("status").unwrap()
}

fn link(lab: &Lab, interface: &str) -> Value {
    let status = status(lab);
    let mut links = status["links"].as_array().unwrap().iter();
    links.find(|link| link["interface"] == interface).unwrap_or_else(|| panic!("{status}")).clone()
}

/// The link has a warning with these words, and so has the whole.
fn assert_warned(lab: &Lab, interface: &str, words: &[&str]) {
    let said = |warnings: &Value| {
        let mut warnings = warnings.as_array().unwrap().iter().filter_map(Value::as_str);
        warnings.any(|warning| words.iter().all(|word| warning.contains(word)))
    };
    let (link, status) = (link(lab, interface), status(lab));
    assert!(said(&link["warnings"]), "{link}");
    assert!(said(&status["warnings"]), "{status}");
}
