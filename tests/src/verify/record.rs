//! What the verifier made of the program on each series of kernels, kept in `tests/verifier.json`, and what it may
//! make of it now. `xtask` shares this file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How much more work the verifier may have than the record says, in percent.
pub const GROWTH_PERCENT: u64 = 25;

/// Bytes of stack that a chain of calls may take: `MAX_BPF_STACK`.
pub const STACK_BYTES: u32 = 512;

/// Set where the figures are to become the record: then growth is no failure.
pub const RECORDING: &str = "THROTTLE_VERIFIER_RECORDING";

/// What the verifier made of the program, loaded once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verification {
    /// The kernel, as `uname -r` prints it.
    pub release: String,
    /// What whoever loaded it was allowed to do.
    pub privileges: String,
    /// The programs, by name.
    pub entries: Vec<Entry>,
}

/// What the verifier made of one entry point with all that it calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Name of the program.
    pub name: String,
    /// Instructions that the verifier went through, along every path.
    pub instructions: u64,
    /// Its functions and the bytes of stack that each uses, the entry point first.
    pub functions: Vec<(String, u32)>,
    /// The chain of calls that takes most stack.
    pub deepest: Chain,
    /// Size of the program in the kernel's instructions, in bytes.
    pub translated_bytes: u32,
    /// Size of the processor's instructions, in bytes; 0 where they are interpreted.
    pub jited_bytes: u32,
    /// Time from the call that loads to its return, in microseconds.
    pub load_us: u64,
}

/// Functions that call each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// From the entry point on.
    pub functions: Vec<String>,
    /// Bytes of stack as Linux 6.1 counts them: each function takes a multiple of 32.
    pub stack_bytes: u32,
}

impl Verification {
    /// The series that the kernel belongs to, such as `6.12`.
    pub fn series(&self) -> String {
        let numbers: Vec<_> = self.release.split(['.', '-', '+']).take(2).collect();
        numbers.join(".")
    }
}

/// Figures of each series and entry point.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record(BTreeMap<String, BTreeMap<String, Figures>>);

/// What is kept of an entry point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Instructions that the verifier went through.
    pub instructions: u64,
    /// Bytes of stack along the deepest chain of calls.
    pub stack_bytes: u32,
}

impl Record {
    /// Reads the file's text.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The file's text.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// What is known of an entry point on a series.
    pub fn figures(&self, series: &str, entry: &str) -> Option<Figures> {
        self.0.get(series)?.get(entry).copied()
    }

    /// Replaces what is known of a series.
    pub fn set(&mut self, found: &Verification) {
        let figures = found.entries.iter().map(|entry| {
            let stack_bytes = entry.deepest.stack_bytes;
            (entry.name.clone(), Figures { instructions: entry.instructions, stack_bytes })
        });
        self.0.insert(found.series(), figures.collect());
    }

    /// What is wrong with a verification: too deep a stack and, unless it `is_recording`, too much growth, or an entry
    /// point without figures where the series has some: after a change of its name nothing would hold its growth.
    pub fn faults(&self, found: &Verification, is_recording: bool) -> Vec<String> {
        let series = found.series();
        let known = self.0.get(&series).filter(|_| !is_recording);
        let faults = |entry: &Entry| {
            let growth = known.and_then(|known| match known.get(&entry.name) {
                Some(known) => growth_fault(entry, known.instructions, &series),
                None => Some(unknown_fault(&entry.name, known.keys(), &series)),
            });
            stack_fault(entry).into_iter().chain(growth).collect::<Vec<_>>()
        };
        found.entries.iter().flat_map(faults).collect()
    }

    /// Why nothing can hold the growth of what was verified, if the series has no figures yet.
    pub fn lack(&self, found: &Verification) -> Option<String> {
        let series = found.series();
        let known = || self.0.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        (!self.0.contains_key(&series)).then(|| {
            format!(
                "tests/verifier.json has no figures of Linux {series}, only of {}: growth is not held; hint: add \
                 them with {ACCEPT}",
                known()
            )
        })
    }
}

/// How figures get into the record.
const ACCEPT: &str = "`cargo xtask verify --record` on that kernel, or `cargo xtask vmtest --filter prog_verify --record`";

fn unknown_fault<'a>(name: &str, known: impl Iterator<Item = &'a String>, series: &str) -> String {
    let known = known.map(String::as_str).collect::<Vec<_>>().join(", ");
    format!(
        "{name}: tests/verifier.json has no figures of it on Linux {series}, only of {known}: its growth is not \
         held; hint: if it is new, add them with {ACCEPT}"
    )
}

fn growth_fault(entry: &Entry, known: u64, series: &str) -> Option<String> {
    let Entry { name, instructions, .. } = entry;
    (instructions * 100 > known * (100 + GROWTH_PERCENT)).then(|| {
        format!(
            "{name}: the verifier of Linux {series} goes through {instructions} instructions, {:+.1} % against the \
             {known} on record; up to {GROWTH_PERCENT} % more are accepted; hint: if the growth is meant, accept \
             it with {ACCEPT}",
            growth_percent(*instructions, known)
        )
    })
}

fn stack_fault(entry: &Entry) -> Option<String> {
    let Chain { functions, stack_bytes } = &entry.deepest;
    (*stack_bytes > STACK_BYTES).then(|| {
        format!(
            "{}: the calls {} take {stack_bytes} bytes of stack as Linux 6.1 counts them, which loads up to \
             {STACK_BYTES}; hint: keep fewer values alive across a call, or return before the next one",
            entry.name,
            functions.join(" > ")
        )
    })
}

/// How much more `found` is than `known`, in percent.
pub fn growth_percent(found: u64, known: u64) -> f64 {
    (found as f64 / known as f64 - 1.0) * 100.0
}

#[cfg(test)]
mod tests {
    use super::{Chain, Entry, Figures, Record, Verification};

    fn found(instructions: u64, stack_bytes: u32) -> Verification {
        let entry = Entry {
            name: "throttle_in".into(),
            instructions,
            functions: vec![("throttle_in".into(), stack_bytes)],
            deepest: Chain { functions: vec!["throttle_in".into()], stack_bytes },
            translated_bytes: 8,
            jited_bytes: 8,
            load_us: 1,
        };
        let release = "6.12.95+deb12-amd64".into();
        Verification { release, privileges: "root".into(), entries: vec![entry] }
    }

    fn record() -> Record {
        let mut record = Record::default();
        record.set(&found(1000, 480));
        record
    }

    #[test]
    fn a_series_is_two_numbers() {
        for (release, series) in
            [("6.12.95+deb12-amd64", "6.12"), ("7.3-rc1", "7.3"), ("7.3+x", "7.3")]
        {
            let found = Verification { release: release.into(), ..found(1, 1) };
            assert_eq!(found.series(), series, "{release}");
        }
    }

    #[test]
    fn what_is_recorded_can_be_read_again() {
        let text = record().text().unwrap();
        assert_eq!(Record::parse(&text).unwrap(), record());
        let figures = Figures { instructions: 1000, stack_bytes: 480 };
        assert_eq!(record().figures("6.12", "throttle_in"), Some(figures));
        assert_eq!(record().figures("6.1", "throttle_in"), None);
    }

    #[test]
    fn growth_beyond_a_quarter_names_both_numbers_and_the_way_to_accept_it() {
        assert!(record().faults(&found(1250, 480), false).is_empty());
        let faults = record().faults(&found(1251, 480), false);
        for part in ["1251", "1000", "+25.1 %", "cargo xtask verify --record"] {
            assert!(faults.len() == 1 && faults[0].contains(part), "{faults:?}");
        }
        assert!(record().faults(&found(1251, 480), true).is_empty());
    }

    #[test]
    fn too_deep_a_stack_cannot_be_recorded_away() {
        assert!(record().faults(&found(1000, 512), false).is_empty());
        for is_recording in [false, true] {
            let faults = record().faults(&found(1000, 544), is_recording);
            assert!(faults.len() == 1 && faults[0].contains("544"), "{faults:?}");
        }
    }

    #[test]
    fn an_unknown_series_is_held_to_the_stack_alone_and_told() {
        let record = Record::default();
        let lack = record.lack(&found(1, 1)).unwrap();
        assert!(lack.contains("no figures of Linux 6.12"), "{lack}");
        assert_eq!(self::record().lack(&found(1, 1)), None);
        assert!(record.faults(&found(u64::MAX / 200, 512), false).is_empty());
        assert_eq!(record.faults(&found(1, 513), false).len(), 1);
    }

    #[test]
    fn an_entry_point_without_figures_is_a_fault_on_a_known_series() {
        let mut renamed = found(1000, 480);
        renamed.entries[0].name = "throttle_ingress".into();
        let faults = record().faults(&renamed, false);
        for part in ["throttle_ingress", "only of throttle_in:", "6.12"] {
            assert!(faults.len() == 1 && faults[0].contains(part), "{faults:?}");
        }
        assert!(record().faults(&renamed, true).is_empty());
    }
}
