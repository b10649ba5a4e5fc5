//! Which tests a guest has to pass, and what they are about.

use anyhow::{Result, ensure};

use super::kernel::Lack;
use super::qemu::Clock;

/// What a guest's tests are about.
#[derive(Debug)]
pub(super) struct Area {
    /// In words.
    pub(super) name: &'static str,
    /// A part of the names of its tests.
    part: &'static str,
}

/// Every area. A guest that has no test of one fails.
pub(super) const AREAS: [Area; 12] = [
    Area { name: "packets through the loaded program", part: "prog_" },
    Area { name: "the verifier's figures, and three capabilities", part: "prog_verify" },
    Area { name: "clsact", part: "with_clsact" },
    Area { name: "TCX", part: "with_tcx" },
    Area { name: "pacing by fq", part: "guest_pace" },
    Area { name: "VLAN, one and two tags", part: "guest_vlan" },
    Area { name: "WireGuard", part: "wireguard" },
    Area { name: "PPP and PPPoE", part: "_ppp" },
    Area { name: "ipip and sit tunnels", part: "_tunnel_are_limited" },
    Area { name: "ECN", part: "guest_ecn" },
    Area { name: "TCP over a delay", part: "guest_delay" },
    Area { name: "limiters that we are compared with", part: "guest_peers" },
];

/// What is to run on one kernel.
#[derive(Debug)]
pub(super) struct Plan {
    /// Names of the tests that have to pass.
    pub(super) tests: Vec<String>,
    /// Names of those that cannot run, and why.
    pub(super) left_out: Vec<(String, &'static str)>,
}

impl Plan {
    /// Parts `tests` by what the kernel `lacks`.
    pub(super) fn new(tests: &[String], lacks: &[Lack]) -> Self {
        let (mut to_run, mut left_out) = (Vec::new(), Vec::new());
        for test in tests {
            let lack = lacks.iter().find(|lack| lack.parts.iter().any(|part| test.contains(part)));
            match lack {
                Some(lack) => left_out.push((test.clone(), lack.reason)),
                None => to_run.push(test.clone()),
            }
        }
        Self { tests: to_run, left_out }
    }

    /// The tests of each guest: a program that is run packet by packet is the same at any speed, and the verifier takes
    /// its time; what sends traffic and measures it needs a clock that nobody else slows down.
    pub(super) fn guests(&self) -> Vec<(Clock, Vec<&str>)> {
        let tests = self.tests.iter().map(String::as_str);
        let (alone, traffic) = tests.partition(|test| test.starts_with("prog_"));
        let guests = [(Clock::Wall, alone), (Clock::Instructions, traffic)];
        guests.into_iter().filter(|(_, tests): &(_, Vec<_>)| !tests.is_empty()).collect()
    }

    /// Checks that every area has a test.
    pub(super) fn check_areas(&self) -> Result<()> {
        let is_missing = |area: &&Area| !self.knows(area);
        let missing: Vec<_> = AREAS.iter().filter(is_missing).map(|area| area.name).collect();
        ensure!(missing.is_empty(), "no test is about: {}", missing.join(", "));
        Ok(())
    }

    /// Checks that whatever had to run is among those that `passed`.
    pub(super) fn check(&self, passed: &[String]) -> Result<()> {
        let missing: Vec<_> =
            self.tests.iter().filter(|test| !passed.contains(test)).map(String::as_str).collect();
        ensure!(missing.is_empty(), "{} tests did not pass: {}", missing.len(), missing.join(", "));
        Ok(())
    }

    /// How many tests of an area have to run.
    pub(super) fn count(&self, area: &Area) -> usize {
        area.count(&self.tests)
    }

    /// Whether an area has any test, be it one that cannot run.
    pub(super) fn knows(&self, area: &Area) -> bool {
        let left_out = self.left_out.iter().map(|(test, _)| test);
        self.tests.iter().chain(left_out).any(|test| test.contains(area.part))
    }
}

impl Area {
    /// How many of `tests` it has.
    pub(super) fn count(&self, tests: &[String]) -> usize {
        tests.iter().filter(|test| test.contains(self.part)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::{AREAS, Clock, Lack, Plan};

    const LACKS: [Lack; 1] = [Lack { parts: &["with_tcx"], reason: "it is old" }];

    fn plan(tests: &[&str]) -> Plan {
        let tests: Vec<_> = tests.iter().map(|&test| test.to_owned()).collect();
        Plan::new(&tests, &LACKS)
    }

    #[test]
    fn what_a_kernel_lacks_is_left_out_with_its_reason_and_all_else_has_to_pass() {
        let plan = plan(&["a::with_tcx", "a::with_clsact", "b"]);
        assert_eq!(plan.left_out, [("a::with_tcx".to_owned(), "it is old")]);
        assert!(plan.check(&["b".into(), "a::with_clsact".into()]).is_ok());
        let error = plan.check(&["b".into()]).unwrap_err().to_string();
        assert_eq!(error, "1 tests did not pass: a::with_clsact");
    }

    #[test]
    fn what_sends_traffic_has_a_guest_of_its_own() {
        let plan = plan(&["prog_a::b", "guest_a::prog_b", "prog_c::d"]);
        let guests = plan.guests();
        assert!(matches!(guests[0].0, Clock::Wall) && matches!(guests[1].0, Clock::Instructions));
        let tests: Vec<_> = guests.into_iter().map(|(_, tests)| tests).collect();
        assert_eq!(tests, [vec!["prog_a::b", "prog_c::d"], vec!["guest_a::prog_b"]]);
        assert!(self::plan(&[]).guests().is_empty());
    }

    #[test]
    fn an_area_without_any_test_is_told() {
        let mut tests: Vec<_> = AREAS.iter().map(|area| area.part).collect();
        assert!(plan(&tests).check_areas().is_ok());
        tests.retain(|&part| part != "with_clsact");
        let error = plan(&tests).check_areas().unwrap_err().to_string();
        assert_eq!(error, "no test is about: clsact");
    }
}
