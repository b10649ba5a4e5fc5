//! `cargo xtask ci`: every check, with the time that each takes.

mod page;
mod report;
mod step;

use anyhow::{Result, bail, ensure};

use crate::docs::Origin;
use crate::test::Tally;
use crate::{exec, setup};
use page::Page;
use report::Report;
use step::Step;

/// What all steps take; none is run without it.
const SETUP: &str = "setup";

/// Runs all steps, or those called `only`, even if one fails, so that one run shows all there is to mend. The tally of
/// the tests is the last line on stdout. With `full` these are all the checks there are, which take hours. With
/// `is_recording`, what becomes of each is written to `docs/ci.md` as soon as it has ended.
pub(crate) fn run(full: bool, is_recording: bool, only: &[String]) -> Result<()> {
    exec::require_root("ci")?;
    let all = if full { step::FULL } else { step::SHORT };
    let steps = chosen(all, only)?;
    let mut page = is_recording.then(|| Page::open(full, all)).transpose()?;
    let mut report = Report::default();
    let mut tally = Tally::default();
    let mut perform = |name, task: &mut dyn FnMut() -> Result<()>| {
        // Single steps are run again on a machine that was set up for all of them.
        let page = page.as_mut().filter(|_| name != SETUP || only.is_empty());
        // What is checked out may change within the hours of a step.
        let row = page.map(|page| (page, Origin::now()));
        let outcome = report.step(name, task);
        if let Some((page, origin)) = row {
            page.record(outcome, origin);
        }
        outcome.is_good
    };
    if perform(SETUP, &mut || setup::run(setup::For::Tests)) {
        for step in steps {
            perform(step.name, &mut || (step.run)(&mut tally));
        }
    }
    if let Some(page) = page {
        report.step("docs", || page.close());
    }
    report.print();
    println!("{tally}");
    report.into_result()
}

/// Those of `steps` that are called `only`; all of them without.
fn chosen(steps: &'static [Step], only: &[String]) -> Result<Vec<&'static Step>> {
    for name in only {
        if !steps.iter().any(|step| step.name == name) {
            let names: Vec<_> = steps.iter().map(|step| step.name).collect();
            bail!("no step is called `{name}`; accepted: {}", names.join(", "));
        }
    }
    let is_chosen = |step: &&Step| only.is_empty() || only.iter().any(|name| name == step.name);
    let chosen: Vec<_> = steps.iter().filter(is_chosen).collect();
    ensure!(!chosen.is_empty(), "there is no step");
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::{chosen, step};
    use crate::bench::Name;

    #[test]
    fn steps_are_chosen_by_name_and_stay_in_order() {
        let names = |only: &[&str]| -> Vec<_> {
            let only: Vec<_> = only.iter().map(|&name| name.to_owned()).collect();
            chosen(step::FULL, &only).unwrap().iter().map(|step| step.name).collect()
        };
        assert_eq!(names(&["demo", "lint"]), ["lint", "demo"]);
        assert_eq!(names(&[]).len(), step::FULL.len());
        let error = chosen(step::SHORT, &["lent".into()]).err().expect("it is refused");
        assert!(error.to_string().starts_with("no step is called `lent`; accepted: lint, test"));
    }

    #[test]
    fn the_full_run_has_every_step_of_the_short_one() {
        let is_in_full = |step: &step::Step| step::FULL.iter().any(|full| full.name == step.name);
        assert!(step::SHORT.iter().all(is_in_full));
    }

    #[test]
    fn the_full_run_has_every_benchmark() {
        for name in Name::value_variants() {
            let step = format!("bench-{}", name.word());
            assert!(step::FULL.iter().any(|full| full.name == step), "{step} is no step");
        }
    }
}
