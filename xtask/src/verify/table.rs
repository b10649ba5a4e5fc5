//! How figures of the verifier are shown.

use super::record::{Entry, Record, STACK_BYTES, Verification, growth_percent};
use crate::markdown;

/// The figures of one verification, with the stack of each function.
pub(super) fn of(found: &Verification, record: &Record) -> String {
    let (release, privileges) = (&found.release, &found.privileges);
    let header =
        ["program", "instructions", "on record", "", "stack", "translated", "jited", "load"];
    let rows: Vec<_> = found.entries.iter().map(|entry| row(found, entry, record)).collect();
    let table = markdown::table(&header, 1, &rows);
    let chains = found.entries.iter().map(chain).collect::<String>();
    format!("Linux {release}, loaded as {privileges}:\n\n{table}\n{chains}")
}

fn row(found: &Verification, entry: &Entry, record: &Record) -> Vec<String> {
    let mut row = vec![entry.name.clone()];
    row.extend(figures(found, entry, record));
    row.extend([
        format!("{} bytes", entry.translated_bytes),
        format!("{} bytes", entry.jited_bytes),
        format!("{:.0} ms", entry.load_us as f64 / 1000.0),
    ]);
    row
}

/// Instructions, those on record, how much more they are, and stack.
pub(crate) fn figures(found: &Verification, entry: &Entry, record: &Record) -> [String; 4] {
    let known = record.figures(&found.series(), &entry.name);
    let [on_record, growth] = known.map_or(["none".into(), String::new()], |known| {
        let growth = growth_percent(entry.instructions, known.instructions);
        [known.instructions.to_string(), format!("{growth:+.1} %")]
    });
    let stack = format!("{} of {STACK_BYTES}", entry.deepest.stack_bytes);
    [entry.instructions.to_string(), on_record, growth, stack]
}

/// The stack of each function, and the functions of the deepest chain.
fn chain(entry: &Entry) -> String {
    let stacks = entry.functions.iter().map(|(name, bytes)| format!("{name} {bytes}"));
    let stacks = stacks.collect::<Vec<_>>().join(", ");
    let chain = entry.deepest.functions.join(" > ");
    format!("* Stack of {}: {stacks}; deepest: {chain}.\n", entry.name)
}
