//! What the verifier of the running kernel makes of the object that the agent embeds: instructions, stack, sizes
//! and times.
//!
//! aya hands out the verifier's log only when a load fails, so this loads by itself, relocated by aya-obj against
//! maps that the agent makes.

mod load;
mod log;
mod object;
pub mod privileges;
pub mod record;
mod stack;

use std::panic::resume_unwind;
use std::thread;

use anyhow::{Context as _, Result};

use self::log::Statistics;
use self::object::Relocated;
use self::record::{Entry, Verification};
use crate::kernel;

/// Loads every entry point as the calling thread may, and drops it again.
pub fn run() -> Result<Verification> {
    let release = kernel::release()?;
    let object = Relocated::new()?;
    let entries = object.entries.iter().map(|entry| {
        let loaded = load::load(&object, entry);
        let loaded = loaded.with_context(|| format!("loading {}", entry.name))?;
        let Statistics { instructions, stack_bytes } = Statistics::parse(&loaded.log)
            .with_context(|| format!("reading the verifier's log:\n{}", loaded.log))?;
        let (functions, deepest) =
            stack::deepest(&entry.instructions, &entry.functions, &stack_bytes)?;
        Ok(Entry {
            name: entry.name.clone(),
            instructions,
            functions,
            deepest,
            translated_bytes: loaded.translated_bytes,
            jited_bytes: loaded.jited_bytes,
            load_us: loaded.duration.as_micros() as u64,
        })
    });
    Ok(Verification {
        release,
        privileges: privileges::of_this_thread()?,
        entries: entries.collect::<Result<_>>()?,
    })
}

/// As [`run`], on a thread with the least privileges that load the program.
pub fn run_with_least_privileges() -> Result<Verification> {
    let restricted = || {
        privileges::keep_least()?;
        run()
    };
    thread::spawn(restricted).join().unwrap_or_else(|panic| resume_unwind(panic))
}
