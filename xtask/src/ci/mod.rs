//! `cargo xtask ci`: every check, with the time that each takes.

mod page;
mod report;
mod step;

use anyhow::{Result, bail, ensure};

use crate::test::Tally;
use crate::{exec, setup};
use report::Report;
use step::Step;

/// Runs all steps, or those called `only`, even if one fails, so that one run shows all there is to mend. The tally of
/// the tests is the last line on stdout. With `full` these are all the checks there are, which take hours; what
/// became of each is written to `docs/ci.md`.
pub(crate) fn run(full: bool, only: &[String]) -> Result<()> {
    exec::require_root("ci")?;
    let steps = chosen(if full { step::FULL } else { step::SHORT }, only)?;
    let mut report = Report::default();
    let mut tally = Tally::default();
    report.step("setup", || setup::run(setup::For::Tests));
    if report.is_good() {
        for step in steps {
            report.step(step.name, || (step.run)(&mut tally));
            if full {
                page::record(&report)?;
            }
        }
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
    use super::{chosen, step};

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
}
