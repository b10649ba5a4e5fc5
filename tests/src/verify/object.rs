//! The object of the agent, relocated against maps of its own.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};

use anyhow::{Context as _, Error, Result, bail};
use aya::Ebpf;
use aya::maps::Map;
use aya_obj::generated::bpf_insn;
use aya_obj::{Function, Object};
use throttle_agent::datapath::{OBJECT, make_maps};

use super::load;
use super::stack::Start;
use crate::prog::Program;

/// The object, ready to be loaded.
pub(super) struct Relocated {
    /// Types of its functions, in the kernel.
    pub(super) types: OwnedFd,
    /// Its programs, by name.
    pub(super) entries: Vec<EntryPoint>,
    /// The instructions name their descriptors.
    _maps: Ebpf,
}

/// A program with all functions that it calls.
pub(super) struct EntryPoint {
    /// Its name.
    pub(super) name: String,
    /// Its licence.
    pub(super) license: CString,
    /// Its functions' instructions, one function after the other.
    pub(super) instructions: Vec<bpf_insn>,
    /// Its functions, in order.
    pub(super) functions: Vec<Start>,
    /// `struct bpf_func_info` of each function, and the size of one.
    pub(super) function_info: (Vec<u8>, u32),
    /// `struct bpf_line_info` of its lines, and the size of one.
    pub(super) line_info: (Vec<u8>, u32),
}

impl Relocated {
    /// Makes the maps, with the sizes that tests give them, and what the agent does before it loads a program.
    pub(super) fn new() -> Result<Self> {
        let maps = make_maps(&Program::options(), |_| None).map_err(Error::msg)?;
        let mut object = Object::parse(OBJECT).context("reading the eBPF object")?;
        let features = aya::features().btf().context("the kernel has no BTF")?;
        let types = object.fixup_and_sanitize_btf(features).context("preparing the BTF")?;
        let types = types.context("the eBPF object has no BTF")?.to_bytes();
        let definitions = std::mem::take(&mut object.maps);
        let described = definitions.iter().map(|(name, definition)| {
            let map = maps.map(name).with_context(|| format!("the agent makes no map {name}"))?;
            Ok((name.as_str(), descriptor(map)?, definition))
        });
        let described = described.collect::<Result<Vec<_>>>()?;
        // Linking puts what is known of callees into their callers.
        let names = function_names(&object);
        let sections = object.functions.keys().map(|(section, _)| *section).collect();
        object.relocate_maps(described.into_iter(), &sections).context("relocating the maps")?;
        object.relocate_calls(&sections).context("relocating the calls")?;
        object.sanitize_functions(aya::features());
        let mut entries = Vec::new();
        for (name, program) in &object.programs {
            let function = object.functions.get(&program.function_key());
            let function = function.with_context(|| format!("{name} has no instructions"))?;
            entries.push(EntryPoint::new(name, &program.license, function, &names)?);
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self { types: load::types(&types)?, entries, _maps: maps })
    }
}

impl EntryPoint {
    fn new(
        name: &str,
        license: &CString,
        function: &Function,
        names: &HashMap<u32, String>,
    ) -> Result<Self> {
        let starts = function.func_info.func_info.iter().map(|info| {
            let name = names.get(&info.type_id).context("a function has no name")?;
            Ok((info.insn_off as usize, name.clone()))
        });
        let record_bytes = |size: usize| u32::try_from(size).context("the size of a record");
        let line_info = function.line_info.line_info_bytes();
        Ok(Self {
            name: name.to_owned(),
            license: license.clone(),
            instructions: function.instructions.clone(),
            functions: starts.collect::<Result<_>>()?,
            function_info: (
                function.func_info.func_info_bytes(),
                record_bytes(function.func_info_rec_size)?,
            ),
            line_info: (line_info, record_bytes(function.line_info_rec_size)?),
        })
    }
}

/// Names of functions by the numbers of their types.
fn function_names(object: &Object) -> HashMap<u32, String> {
    let functions = object.functions.values();
    let named = functions.filter_map(|function| {
        let info = function.func_info.func_info.first()?;
        Some((info.type_id, unmangled(&function.name).to_owned()))
    });
    named.collect()
}

/// The last part of a path that rustc has mangled: a name behind its length.
fn unmangled(name: &str) -> &str {
    let mut parts = name.char_indices().filter(|_| name.starts_with("_R")).filter_map(|(at, _)| {
        let digits = name[at..].chars().take_while(char::is_ascii_digit).count();
        let (length, part) = name[at..].split_at(digits);
        (length.parse() == Ok(part.len())).then_some(part)
    });
    parts.next_back().unwrap_or(name)
}

/// The descriptor of a map of the kinds that the object has.
fn descriptor(map: &Map) -> Result<RawFd> {
    if let Map::Array(map) | Map::LpmTrie(map) | Map::PerCpuArray(map) | Map::RingBuf(map) = map {
        Ok(map.fd().as_fd().as_raw_fd())
    } else {
        bail!("the object has a map of another kind: {map:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::unmangled;

    #[test]
    fn local_functions_are_named_as_in_their_source() {
        let mangled = "_RNvNtNtCsdaRdvAQHOAr_15throttle_common6packet7measure8units_of";
        assert_eq!(unmangled(mangled), "units_of");
        assert_eq!(unmangled("throttle_charge"), "throttle_charge");
        assert_eq!(unmangled("memcpy6"), "memcpy6");
    }
}
