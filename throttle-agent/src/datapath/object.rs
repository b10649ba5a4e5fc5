//! Loads the eBPF object that is embedded in the agent.

use std::{error, io, panic::resume_unwind, path::PathBuf, thread};

use aya::{Ebpf, EbpfLoader, VerifierLogLevel, programs::SchedClassifier};
use throttle_common::abi::Hook;
use tracing::Level;

use super::{
    Options,
    layout::MAPS,
    refusal::{errno, refused},
};
use crate::{
    error::{Error, Kind, Result, ResultExt},
    fault,
};

/// The object.
#[doc(hidden)]
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/throttle-ebpf"));

/// Creates or adopts the maps, each at its `pin`, and loads both programs.
pub(super) fn load(options: &Options, pin: impl Fn(&str) -> PathBuf) -> Result<Ebpf> {
    let mut ebpf = make_maps(options, |name| Some(pin(name)))?;
    fault::before("loading the programs")
        .map_err(|error| cannot(error, "loading the eBPF program"))?;
    load_programs(&mut ebpf)?;
    fault::after("loading the programs");
    Ok(ebpf)
}

/// Creates or adopts the maps, each at its `pin` if it has one, and loads no program.
///
/// # Errors
/// Privileges are missing, or the kernel cannot do it.
#[doc(hidden)]
pub fn make_maps(options: &Options, pin: impl Fn(&str) -> Option<PathBuf>) -> Result<Ebpf> {
    let log_level = kernel_log_level(options.kernel_log);
    let paths = MAPS.map(|map| (map.name, pin(map.name), map.max_entries(options)));
    let mut loader = EbpfLoader::new();
    loader.verifier_log_level(VerifierLogLevel::STATS);
    loader.override_global(aya_log::LEVEL, &log_level, true);
    for (name, path, max_entries) in &paths {
        loader.map_max_entries(name, *max_entries);
        if let Some(path) = path {
            loader.map_pin_path(name, path.as_path());
        }
    }
    fault::before("making the maps").map_err(|error| cannot(error, "creating the eBPF maps"))?;
    loader.load(OBJECT).map_err(|error| cannot(error, "creating the eBPF maps"))
}

/// Loads all programs at once: the verifier takes most of an agent's start, and a processor for each.
fn load_programs(ebpf: &mut Ebpf) -> Result<()> {
    let programs =
        ebpf.programs_mut().map(|(_, program)| <&mut SchedClassifier>::try_from(program));
    let programs = programs.collect::<Result<Vec<_>, _>>();
    let programs = programs.map_err(|error| cannot(error, "reading the eBPF object"))?;
    thread::scope(|scope| {
        let loading = programs.into_iter().map(|program| {
            fault::before("starting a thread")
                .and_then(|()| thread::Builder::new().spawn_scoped(scope, || program.load()))
                .map_err(no_thread)
        });
        let loading = loading.collect::<Result<Vec<_>>>()?;
        loading.into_iter().try_for_each(|thread| {
            let loaded = thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            loaded.map_err(|error| cannot(error, "loading the eBPF program"))
        })
    })
}

fn no_thread(error: io::Error) -> Error {
    refused(error, "starting a thread that loads the eBPF program").hint(
        "leave room for ten: TasksMax= of the unit, pids.max of the control group, RLIMIT_NPROC",
    )
}

/// Name of the program of a hook.
pub(super) const fn program_name(hook: Hook) -> &'static str {
    match hook {
        Hook::Ingress => "throttle_in",
        Hook::Egress => "throttle_out",
    }
}

/// The program of a hook.
pub(super) fn classifier(ebpf: &mut Ebpf, hook: Hook) -> Result<&mut SchedClassifier> {
    let name = program_name(hook);
    let program = ebpf.program_mut(name);
    let program =
        program.ok_or_else(|| Error::failed(format!("the eBPF object has no program {name}")))?;
    <&mut SchedClassifier>::try_from(program)
        .doing(Kind::Failed, || format!("program {name} is no classifier"))
}

/// The level as aya-log numbers it; 0 leaves no message in the program.
fn kernel_log_level(level: Option<Level>) -> u8 {
    match level {
        None => 0,
        Some(Level::ERROR) => aya_log::Level::Error as u8,
        Some(Level::WARN) => aya_log::Level::Warn as u8,
        Some(Level::INFO) => aya_log::Level::Info as u8,
        Some(Level::DEBUG) => aya_log::Level::Debug as u8,
        Some(_) => aya_log::Level::Trace as u8,
    }
}

/// What the kernel refused. It answers EPERM without privileges, and EACCES or EINVAL when its
/// verifier does not accept the program.
fn cannot<E: error::Error + Send + Sync + 'static>(error: E, doing: &'static str) -> Error {
    tracing::debug!(?error, "{doing}");
    match errno(&error) {
        Some(libc::EPERM) => refused(error, doing)
            .hint("run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"),
        Some(code @ (libc::ENOSYS | libc::EACCES | libc::EINVAL | libc::EOPNOTSUPP)) => {
            let cause = io::Error::from_raw_os_error(code);
            let said = verifier_said(&error.to_string());
            Error::unsupported(format!("{doing}: the kernel cannot do it: {cause}{said}")).hint(
                "Linux 5.15 or newer with CONFIG_BPF_SYSCALL and CONFIG_NET_CLS_BPF is needed",
            )
        }
        Some(_) | None => refused(error, doing),
    }
}

/// Why the verifier refuses: the last line of its log that is not about its work.
fn verifier_said(error: &str) -> String {
    let log = error.split_once("Verifier output: ").map_or("", |(_, log)| log);
    let statistics = ["processed ", "verification time", "stack depth", "Func#", "Validating "];
    let is_said = |line: &&str| !statistics.iter().any(|word| line.starts_with(word));
    let mut lines = log.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.rfind(is_said).map_or_else(String::new, |line| format!("; its verifier says: {line}"))
}

#[cfg(test)]
mod tests {
    use super::verifier_said;

    #[test]
    fn the_reason_of_the_verifier_is_told() {
        let error = "the BPF_PROG_LOAD syscall returned Permission denied. Verifier output: \
             Func#2 ('f') is global and assumed valid.\n\
             combined stack size of 3 calls is 528. Too large\n\
             verification time 5 usec\nstack depth 192+280\nprocessed 5 insns (limit 1000000)\n";
        let said = "; its verifier says: combined stack size of 3 calls is 528. Too large";
        assert_eq!(verifier_said(error), said);
        assert_eq!(verifier_said("Operation not permitted"), "");
    }
}
