//! `cargo xtask fuzz`: runs the fuzz targets of `tests/fuzz`, each for some time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::{exec, setup, workspace};

/// What libFuzzer says last of a target that found something.
const LINES_SHOWN: usize = 60;

/// Frames and entries of maps are shorter; so is most that can go wrong in text.
const LONGEST_INPUT_BYTES: u32 = 4096;

/// An input that takes longer is a finding.
const LONGEST_RUN_SECONDS: u32 = 10;

/// Runs one target, or all, for so many seconds each. A finding of one does not stop the others.
pub(crate) fn run(target: Option<&str>, seconds: u32) -> Result<()> {
    let folder = workspace::root()?.join("tests/fuzz");
    let targets = targets(&folder)?;
    let chosen: Vec<_> = match target {
        None => targets,
        Some(name) => {
            let known = targets.join(", ");
            ensure!(
                targets.iter().any(|target| target == name),
                "there is no fuzz target {name:?}; accepted: {known}"
            );
            vec![name.to_owned()]
        }
    };
    setup::run(setup::For::Fuzz)?;
    exec::run(cargo_fuzz("build")?.args(one(&chosen)), "building the fuzz targets")?;
    let mut broken = Vec::new();
    for name in &chosen {
        let inputs = fuzz(&folder, name, seconds)?;
        match inputs {
            Some(inputs) => println!("fuzz: {name}: {inputs} inputs in {seconds} s, nothing found"),
            None => broken.push(name.as_str()),
        }
    }
    let found = found(&workspace::root()?, "TARGET");
    ensure!(
        broken.is_empty(),
        "found what breaks {}; hint: see {}, and tests/fuzz/README.md for what to do with it",
        broken.join(", "),
        found.display()
    );
    Ok(())
}

/// Fuzzes one target; returns how many inputs it took, `None` when one broke a promise.
fn fuzz(folder: &Path, name: &str, seconds: u32) -> Result<Option<String>> {
    let root = workspace::root()?;
    let (corpus, found) = (root.join("target/fuzz/corpus").join(name), found(&root, name));
    for made in [&corpus, &found] {
        fs::create_dir_all(made).with_context(|| format!("making {}", made.display()))?;
    }
    let mut command = cargo_fuzz("run")?;
    command.arg(name).arg(&corpus).arg(folder.join("seeds").join(name));
    let regressions = folder.join("regressions").join(name);
    if regressions.is_dir() {
        command.arg(regressions);
    }
    command.arg("--").arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-artifact_prefix={}/", found.display()));
    command.arg(format!("-max_len={LONGEST_INPUT_BYTES}"));
    command.arg(format!("-timeout={LONGEST_RUN_SECONDS}"));
    command.arg("-print_final_stats=1");
    let mut child = command
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("fuzzing {name}: cannot start cargo-fuzz"))?;
    let stderr = child.stderr.take().context("no pipe for what the fuzzer says")?;
    let lines = exec::lines(stderr).collect::<Result<Vec<_>, _>>();
    let status = child.wait().with_context(|| format!("waiting for the fuzzer of {name}"))?;
    let lines = lines.with_context(|| format!("reading what the fuzzer of {name} says"))?;
    let inputs = lines.iter().find_map(|line| executed(line));
    if status.success()
        && let Some(inputs) = inputs
    {
        return Ok(Some(inputs.to_owned()));
    }
    for line in &lines[lines.len().saturating_sub(LINES_SHOWN)..] {
        eprintln!("{line}");
    }
    eprintln!("fuzz: {name}: ended with {status}");
    Ok(None)
}

/// Reads `stat::number_of_executed_units: 12345`.
fn executed(line: &str) -> Option<&str> {
    line.strip_prefix("stat::number_of_executed_units:").map(str::trim)
}

/// Where what breaks a target is left.
fn found(root: &Path, target: &str) -> PathBuf {
    root.join("target/fuzz/found").join(target)
}

/// The only target, if there is but one to build.
fn one(chosen: &[String]) -> Option<&String> {
    if let [only] = chosen { Some(only) } else { None }
}

/// Names of the targets, which are those of their files.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let folder = folder.join("targets");
    let entries = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// `cargo-fuzz SUBCOMMAND` with nightly, free of the cargo that runs this.
fn cargo_fuzz(subcommand: &str) -> Result<Command> {
    let root = workspace::root()?;
    let mut command = workspace::nightly(&workspace::tool(setup::FUZZ.name)?.to_string_lossy());
    command.env_remove("CARGO").current_dir(&root);
    command.args([subcommand, "--fuzz-dir", "tests/fuzz", "--target-dir"]);
    command.arg(root.join("target/fuzz"));
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::{executed, targets};
    use crate::workspace;

    #[test]
    fn every_target_is_known_by_its_file() {
        let folder = workspace::root().unwrap().join("tests/fuzz");
        let targets = targets(&folder).unwrap();
        assert!(targets.contains(&"packet".to_owned()), "{targets:?}");
        for target in targets {
            assert!(folder.join("seeds").join(&target).is_dir(), "{target} has no seeds");
        }
    }

    #[test]
    fn the_number_of_inputs_is_read_from_the_last_words() {
        assert_eq!(executed("stat::number_of_executed_units: 812345"), Some("812345"));
        assert_eq!(executed("stat::average_exec_per_sec:     3000"), None);
    }
}
