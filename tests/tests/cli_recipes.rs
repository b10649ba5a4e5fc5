//! The README's recipes, run as they stand against throw-away agents.

use std::process::Command;

use throttle_tests::agent::{self, Outcome};
use throttle_tests::leftovers;
use throttle_tests::netns::{Namespace, unique_name};
use throttle_tests::readme::{self, Block};
use throttle_tests::require_root;

/// Interfaces of the recipes; what is behind them does not matter.
const INTERFACES: [&str; 5] = ["lan0", "eth0", "eth1", "wg0", "qg-1f2e"];

/// Names that stand for the operator's own namespaces.
const NAMESPACES: [&str; 2] = ["qrouter-1f2e", "blue"];

const VERBS: [&str; 9] =
    ["limit", "group", "link", "host", "stats", "status", "events", "run", "detach"];

#[test]
fn the_recipes_of_the_readme_work_as_they_stand() {
    require_root!();
    let blocks = readme::blocks(&readme::text().unwrap(), "Recipes");
    assert!(blocks.len() >= 5, "{blocks:?}");
    for Block { title, script } in blocks {
        let bench = Bench::new();
        let outcome = bench.run(&script);
        assert_eq!(outcome.code, Some(0), "{title}: {outcome:?}");
        assert!(!outcome.stderr.contains("warning:"), "{title}: {}", outcome.stderr);
    }
}

#[test]
fn the_commands_in_the_tables_of_the_readme_work_as_they_stand() {
    require_root!();
    let text = readme::text().unwrap();
    let bench = Bench::new();
    let mut script = vec!["throttle-agent run --iface eth1".to_owned()];
    for head in ["| to | run |", "| from | there | here |"] {
        let commands = readme::cells(&text, head, &VERBS);
        assert!(commands.len() > 10, "{head}: {commands:?}");
        for command in commands {
            let ends = !["--watch", "--follow", "run "].iter().any(|word| command.contains(word));
            // Of one that does not end, what is said before it ends by itself is enough.
            let (limit, ok) = if ends { ("", "") } else { ("timeout 2 ", " || [ $? = 124 ]") };
            // The host is known from its first packet on, which there is none of here.
            let ok = if command.starts_with("host show") { " || [ $? = 3 ]" } else { ok };
            script.push(format!("{limit}throttle-agent {command}{ok}"));
        }
    }
    let outcome = bench.run(&script.join("\n"));
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

/// A namespace with the interfaces of the recipes, and what is run in it.
struct Bench {
    namespace: Namespace,
    instance: String,
}

impl Bench {
    fn new() -> Self {
        let namespace = Namespace::new("recipe").unwrap();
        for (number, name) in INTERFACES.iter().enumerate() {
            let script = format!(
                "link add {name} type veth peer name peer{number}\nlink set {name} up\n\
                 link set peer{number} up"
            );
            namespace.ip(&script).unwrap();
        }
        Self { namespace, instance: unique_name() }
    }

    /// Runs lines in the namespace, with `throttle-agent` in a place of its own.
    ///
    /// An agent is waited for, and has no terminal; named instances become ours.
    fn run(&self, lines: &str) -> Outcome {
        let mut lines = lines.replace(" &\n", "\n");
        for name in NAMESPACES {
            lines = lines
                .replace(&format!("--netns {name}"), &format!("--netns {}", self.namespace.name()));
        }
        let script = format!("set -e\n{}\n{lines}\n", self.prelude());
        let mut command = self.namespace.command("bash").unwrap();
        Outcome::of(command.args(["-c", &script])).unwrap()
    }

    /// Stand-ins for the agent and for `timeout`, which knows no functions.
    fn prelude(&self) -> String {
        let (binary, own) = (agent::binary().display().to_string(), &self.instance);
        format!(
            r#"throttle-agent() {{
    local instance={own} words=()
    while [ $# -gt 0 ]; do
        case $1 in
            --instance) instance={own}-$2; shift ;;
            *) words+=("$1") ;;
        esac
        shift
    done
    case " ${{words[*]}} " in
        *" run "*)
            local log; log=$(mktemp)
            {binary} --instance $instance "${{words[@]}}" </dev/null >/dev/null 2>$log &
            for _ in $(seq 200); do
                {binary} --instance $instance status >/dev/null 2>&1 && {{ rm $log; return 0; }}
                sleep 0.05
            done
            echo "no answer of ${{words[*]}}: $(cat $log)" >&2; rm $log; return 1 ;;
        *) $bounded {binary} --instance $instance "${{words[@]}}" ;;
    esac
}}
timeout() {{ local bounded="command timeout -s INT $1"; shift; "$@"; }}
"#
        )
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for suffix in ["", "-fip", "-blue"] {
            let instance = format!("{}{suffix}", self.instance);
            let mut detach = Command::new(agent::binary());
            detach.args(["--instance", &instance, "detach", "--all"]);
            let outcome = Outcome::of(detach.args(["--netns", self.namespace.name()]));
            let left = leftovers::of_instance(&instance);
            left.iter().for_each(|path| leftovers::remove(path));
            assert!(std::thread::panicking() || left.is_empty(), "{left:?}: {outcome:?}");
        }
    }
}
