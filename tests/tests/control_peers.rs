//! Who may use the control socket: root and members of group `throttle`, as the group database says.

use std::process::Command;

use serde_json::Value;
use throttle_tests::agent::Outcome;
use throttle_tests::lab::Lab;
use throttle_tests::public::PublicBinary;
use throttle_tests::require_root;
use throttle_tests::restrict::{NOBODY, in_group, with_group_throttle, without_privileges};

const GROUP: u32 = 54_321;
const SET: &str = "limit set 10.77.0.0/24 --down 3mbit";
const DENIED: Option<i32> = Some(4);

#[test]
fn members_of_the_group_may_write() {
    require_root!();
    with_member(NOBODY.1, |lab, binary| {
        let listed = run(lab, binary, |command| in_group(command, GROUP));
        assert_eq!(listed.code, Some(0), "{listed:?}");
        let limits: Vec<Value> = lab.agent.json("limit list").unwrap();
        assert_eq!(limits[0]["prefix"], "10.77.0.0/24");
        let log = lab.agent.log();
        let told = log.lines().find(|line| line.contains("limit set")).unwrap_or_default();
        assert!(told.contains(&format!("uid={}", NOBODY.0)) && told.contains("pid="), "{log}");
    });
}

#[test]
fn all_other_users_are_refused() {
    require_root!();
    with_member("somebody", |lab, binary| {
        let stranger = run(lab, binary, without_privileges);
        // The kernel lets this one through to the agent, which asks the group database.
        let unlisted = run(lab, binary, |command| in_group(command, GROUP));
        for outcome in [stranger, unlisted] {
            assert_eq!(outcome.code, DENIED, "{outcome:?}");
            assert!(outcome.stderr.contains("root") && outcome.stderr.contains("group throttle"));
        }
        assert_eq!(lab.agent.json::<Vec<Value>>("limit list").unwrap().len(), 0);
    });
}

/// Runs `test` on a machine where group `throttle` exists and has one member.
fn with_member(member: &str, test: impl FnOnce(&Lab, &PublicBinary) + Send) {
    let mut lab = Lab::new().unwrap();
    let binary = PublicBinary::new().unwrap();
    with_group_throttle(GROUP, member, || {
        lab.agent.kill().unwrap();
        lab.agent.restart().unwrap();
        test(&lab, &binary);
        lab.agent.kill().unwrap();
    })
    .unwrap();
}

/// Tries to set a limit as another user.
fn run(
    lab: &Lab,
    binary: &PublicBinary,
    become_user: impl Fn(&mut Command) -> &mut Command,
) -> Outcome {
    let mut command = binary.command();
    command.args(["--instance", lab.agent.instance()]).args(SET.split_whitespace());
    Outcome::of(become_user(&mut command)).unwrap()
}
