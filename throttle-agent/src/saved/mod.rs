//! The desired policy: that of the configuration file, and the changes made since at run time, which are
//! saved.
//!
//! A change is an entry of a table: the entry that the file had for a key when it was changed, and the one
//! that it has now, or none. Where the file's entry has become another one since, the file wins.
//!
//! Changes are saved in two files of one directory. `changes.json` is a snapshot of all of them, and
//! `changes.journal` has a line for each change since, so that one change among many costs one line. Every
//! line is checked by a sum and has a number: lines up to that of the snapshot are in it already.

mod disk;
mod entry;
mod files;
mod record;
mod store;

pub use disk::remove;
pub use entry::{Entry, Key};
pub(crate) use store::Pending;
pub use store::{Origin, Store};

#[cfg(test)]
mod tests;
