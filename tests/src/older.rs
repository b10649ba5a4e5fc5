//! Pins as an agent of an older layout leaves them: those of a stopped agent, moved and with the words rewritten
//! whose meaning has changed since.

use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::{fs, mem};

use anyhow::{Context as _, Result};
use aya::maps::{Array, Map, MapData};
use aya::programs::tc::{NlOptions, TcAttachOptions, TcHandle};
use aya::programs::{ProgramInfo, loaded_programs};
use throttle_agent::instance::PIN_ROOT;
use throttle_common::abi::{SEEN_TICK_NS, VERSION};

use crate::netns::Namespace;
use crate::{foreign, hooks};

/// The older layout.
pub const OLDER: u32 = 2;

/// The handle of every filter before handles told whose they are.
const OLDER_HANDLE: u16 = 0x7468;

/// Number of the word in a direction of a host that held the time of its last packet in nanoseconds.
const LAST_SEEN: usize = 3;
const DIRECTION_WORDS: usize = 8;

/// Where an instance has its pins in a layout of this version.
pub fn pins(version: u32, instance: &str) -> PathBuf {
    Path::new(PIN_ROOT).join(version.to_string()).join(instance)
}

/// Turns the pins of a stopped agent into those of the older layout; nobody may send meanwhile.
pub fn make(instance: &str) -> Result<()> {
    rewrite(&pins(VERSION, instance).join("HOSTS"))?;
    move_back(instance)
}

/// Moves the pins of a stopped agent to where the older layout has them, whatever the words are.
pub fn move_back(instance: &str) -> Result<()> {
    let (from, to) = (pins(VERSION, instance), pins(OLDER, instance));
    fs::create_dir_all(pins(OLDER, ""))?;
    fs::rename(&from, &to).with_context(|| format!("moving {} to {}", from.display(), to.display()))
}

/// Moves the first `count` pins of the older layout to where those of the present one are, as an agent does that
/// is killed then.
pub fn move_some(instance: &str, count: usize) -> Result<()> {
    let (from, to) = (pins(OLDER, instance), pins(VERSION, instance));
    fs::create_dir_all(&to)?;
    for entry in fs::read_dir(&from)?.collect::<Result<Vec<_>, _>>()?.iter().take(count) {
        fs::rename(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Gives the clsact filters of a stopped agent the handle that all had before it told whose they are.
pub fn age_filters(namespace: &Namespace, interface: &str) -> Result<()> {
    for (hook, parent) in hooks::HOOKS.into_iter().zip(foreign::HOOKS) {
        let found = hooks::filters(namespace, interface, hook)?;
        let word = |name: &str| {
            let mut words = found.split_whitespace().skip_while(|word| *word != name);
            words.nth(1).with_context(|| format!("no {name} in {found}"))
        };
        let (handle, id) = (word("handle")?, word("id")?.parse::<u32>()?);
        let is_meant = |program: &ProgramInfo| program.id() == id;
        let mut programs = loaded_programs().filter_map(Result::ok);
        let program = programs.find(is_meant).context("the filter's program")?;
        let program = program.fd()?.as_fd().try_clone_to_owned()?;
        namespace.run(|| -> Result<()> {
            let mut program = foreign::opened(&program)?;
            let handle = TcHandle::new(0, OLDER_HANDLE);
            let options = NlOptions { priority: 10, handle, classid: None };
            let options = TcAttachOptions::Netlink(options);
            let id = program.attach_with_options(interface, parent, options)?;
            // Dropping it would remove the filter.
            mem::forget(program.take_link(id)?);
            Ok(())
        })??;
        let words = format!("dev {interface} {hook} prio 10 handle {handle} bpf");
        namespace.tc(&format!("filter del {words}"))?;
    }
    Ok(())
}

/// Writes the time of each host's last packet as the older layout has it; all of a host is written at once.
fn rewrite(hosts: &Path) -> Result<()> {
    let map = Map::Array(MapData::from_pin(hosts)?);
    let mut map: Array<MapData, [u64; 2 * DIRECTION_WORDS]> = Array::try_from(map)?;
    for way in 0..map.len() {
        let mut host = map.get(&way, 0)?;
        if host == [0; 2 * DIRECTION_WORDS] {
            continue;
        }
        for direction in [0, 1] {
            let word = &mut host[direction * DIRECTION_WORDS + LAST_SEEN];
            *word = u64::from(*word as u32) * SEEN_TICK_NS;
        }
        map.set(way, host, 0)?;
    }
    Ok(())
}
