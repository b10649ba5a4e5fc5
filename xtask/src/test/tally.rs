//! Counts tests from what libtest prints.

use std::fmt;

/// What becomes of a test that says it could not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skipped {
    /// It is counted by itself.
    IsTold,
    /// It is counted as failed.
    Fails,
}

/// Results summed over any number of test binaries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped } = self;
        write!(f, "{passed} passed, {failed} failed")?;
        if *skipped > 0 {
            write!(f, ", {skipped} skipped")?;
        }
        Ok(())
    }
}

/// Reads the lines of `cargo test -- --show-output`.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// As libtest counts, where a skipped test has passed.
    counts: Tally,
    passed: Vec<String>,
    section: Section,
}

/// The part of a test binary's output that a line belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Section {
    /// Tests as they run, and what failed ones have printed.
    #[default]
    Other,
    /// Before the first test that passed and has printed something.
    Successes,
    /// What a test that passed has printed.
    Passed { is_skipped: bool },
    /// The names of those that passed.
    Names,
}

impl Reader {
    /// Takes one line, without its end; the answer is whether it is worth showing.
    pub(crate) fn read(&mut self, line: &str) -> bool {
        if let Some((passed, failed)) = parse_result(line) {
            self.counts.passed += passed;
            self.counts.failed += failed;
            self.section = Section::Other;
            return true;
        }
        match (line, self.section) {
            ("successes:", Section::Other) => self.section = Section::Successes,
            ("successes:", _) => self.section = Section::Names,
            ("failures:", _) => self.section = Section::Other,
            (_, Section::Names) => self.passed.extend(line.strip_prefix("    ").map(str::to_owned)),
            (_, Section::Other) => {}
            (_, Section::Successes | Section::Passed { .. }) => self.read_output(line),
        }
        matches!(self.section, Section::Other | Section::Passed { .. })
    }

    fn read_output(&mut self, line: &str) {
        if line.starts_with("---- ") {
            self.section = Section::Passed { is_skipped: false };
        } else if line.starts_with("SKIPPED")
            && self.section != (Section::Passed { is_skipped: true })
        {
            self.section = Section::Passed { is_skipped: true };
            self.counts.skipped += 1;
        }
    }

    /// The names of the tests that passed, skipped ones among them.
    pub(crate) fn into_passed(self) -> Vec<String> {
        self.passed
    }

    /// What was counted up to now.
    pub(crate) fn tally(&self, skipped_tests: Skipped) -> Tally {
        let Tally { passed, failed, skipped } = self.counts;
        let passed = passed.saturating_sub(skipped);
        match skipped_tests {
            Skipped::IsTold => Tally { passed, failed, skipped },
            Skipped::Fails => Tally { passed, failed: failed + skipped, skipped: 0 },
        }
    }
}

/// Reads `test result: ok. 3 passed; 0 failed; ...`.
fn parse_result(line: &str) -> Option<(u64, u64)> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut counts = counts.split("; ");
    let passed = counts.next()?.strip_suffix(" passed")?.parse().ok()?;
    let failed = counts.next()?.strip_suffix(" failed")?.parse().ok()?;
    Some((passed, failed))
}

#[cfg(test)]
mod tests {
    use super::{Reader, Skipped, Tally};

    const OUTPUT: &str = "\
running 3 tests
test netns::a ... ok
test netns::b ... ok
test netns::c ... ok

successes:

---- netns::a stdout ----
SKIPPED: no iperf3
SKIPPED: nor anything else

---- netns::b stdout ----
the word SKIPPED inside a line

successes:
    netns::a
    netns::b

test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s

running 2 tests
successes:

failures:

---- d stdout ----
SKIPPED: said before the test failed

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 2 filtered out; finished in 1.20s
";

    fn tally(output: &str, skipped: Skipped) -> Tally {
        let mut reader = Reader::default();
        for line in output.lines() {
            reader.read(line);
        }
        reader.tally(skipped)
    }

    #[test]
    fn what_passed_tests_print_is_shown_and_their_names_not_again() {
        let mut reader = Reader::default();
        let shown = OUTPUT.lines().filter(|line| reader.read(line)).collect::<Vec<_>>();
        assert!(shown.contains(&"---- netns::b stdout ----"));
        assert!(shown.contains(&"SKIPPED: said before the test failed"));
        assert!(!shown.contains(&"    netns::a"));
        assert!(!shown.contains(&"successes:"));
    }

    #[test]
    fn tests_that_passed_are_named() {
        let mut reader = Reader::default();
        for line in OUTPUT.lines() {
            reader.read(line);
        }
        assert_eq!(reader.into_passed(), ["netns::a", "netns::b"]);
    }

    #[test]
    fn results_of_all_binaries_are_summed_and_skipped_tests_told() {
        let tally = tally(OUTPUT, Skipped::IsTold);
        assert_eq!(tally, Tally { passed: 3, failed: 1, skipped: 1 });
        assert_eq!(tally.to_string(), "3 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn a_skipped_test_counts_as_failed_where_it_has_to_run() {
        let tally = tally(OUTPUT, Skipped::Fails);
        assert_eq!(tally.to_string(), "3 passed, 2 failed");
    }

    #[test]
    fn lines_that_only_look_like_results_are_not_counted() {
        let tally =
            tally("test result: ok\ntest result: ok. x passed; 0 failed\n", Skipped::IsTold);
        assert_eq!(tally, Tally::default());
    }

    #[test]
    fn tallies_add_up() {
        let mut sum = Tally { passed: 1, failed: 2, skipped: 3 };
        sum.add(&Tally { passed: 10, failed: 20, skipped: 30 });
        assert_eq!(sum, Tally { passed: 11, failed: 22, skipped: 33 });
    }
}
