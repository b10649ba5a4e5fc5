//! Which module files a list of kernel modules comes to.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// The files, below `dir`, of the modules `names` and of all that they depend on. A module that the kernel has
/// built in needs none.
pub(super) fn files(dir: &Path, names: &[&str]) -> Result<BTreeSet<String>> {
    let read = |name: &str| {
        let path = dir.join(name);
        fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
    };
    closure(&read("modules.dep")?, &read("modules.builtin")?, names)
}

fn closure(dependencies: &str, built_in: &str, names: &[&str]) -> Result<BTreeSet<String>> {
    let lines = dependencies.lines().filter_map(|line| line.split_once(':'));
    let modules: HashMap<_, _> = lines.map(|line| (module_name(line.0), line)).collect();
    let mut files = BTreeSet::new();
    for &name in names {
        match modules.get(name) {
            Some((file, needed)) => {
                files.insert((*file).to_owned());
                files.extend(needed.split_whitespace().map(str::to_owned));
            }
            None if built_in.lines().any(|file| module_name(file) == name) => {}
            None => bail!("the kernel has no module {name}"),
        }
    }
    Ok(files)
}

/// `tcp_bbr` of `kernel/net/ipv4/tcp-bbr.ko.xz`.
fn module_name(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.split('.').next().unwrap_or(name).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::closure;

    const DEPENDENCIES: &str = "net/a-b.ko.xz: lib/c.ko.xz lib/d.ko.xz\nlib/c.ko.xz:\nnet/e.ko:\n";

    #[test]
    fn a_module_comes_with_all_that_it_needs() {
        let files = closure(DEPENDENCIES, "net/f.ko\n", &["a_b", "f"]).unwrap();
        assert_eq!(Vec::from_iter(files), ["lib/c.ko.xz", "lib/d.ko.xz", "net/a-b.ko.xz"]);
    }

    #[test]
    fn a_module_that_the_kernel_lacks_is_named() {
        let error = closure(DEPENDENCIES, "net/f.ko\n", &["e", "g"]).unwrap_err();
        assert_eq!(error.to_string(), "the kernel has no module g");
    }
}
