//! Which module files a list of kernel modules comes to.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// The modules of a kernel.
pub(super) struct Modules {
    /// The lines of `modules.dep`.
    dependencies: String,
    /// The lines of `modules.builtin`.
    built_in: String,
}

impl Modules {
    /// Of the kernel whose modules are in `dir`.
    pub(super) fn read(dir: &Path) -> Result<Self> {
        let read = |name: &str| {
            let path = dir.join(name);
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
        };
        Ok(Self { dependencies: read("modules.dep")?, built_in: read("modules.builtin")? })
    }

    /// Whether the kernel has the module `name`, built in or not.
    pub(super) fn have(&self, name: &str) -> bool {
        self.lines().any(|(file, _)| module_name(file) == name) || self.is_built_in(name)
    }

    /// The files of the modules `names` and of all that they depend on. A module that the kernel has built in needs
    /// none.
    pub(super) fn files(&self, names: &[&str]) -> Result<BTreeSet<String>> {
        let modules: HashMap<_, _> = self.lines().map(|line| (module_name(line.0), line)).collect();
        let mut files = BTreeSet::new();
        for &name in names {
            match modules.get(name) {
                Some((file, needed)) => {
                    files.insert((*file).to_owned());
                    files.extend(needed.split_whitespace().map(str::to_owned));
                }
                None if self.is_built_in(name) => {}
                None => bail!("the kernel has no module {name}"),
            }
        }
        Ok(files)
    }

    /// Files, and what each needs.
    fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        self.dependencies.lines().filter_map(|line| line.split_once(':'))
    }

    fn is_built_in(&self, name: &str) -> bool {
        self.built_in.lines().any(|file| module_name(file) == name)
    }
}

/// `tcp_bbr` of `kernel/net/ipv4/tcp-bbr.ko.xz`.
fn module_name(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.split('.').next().unwrap_or(name).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::Modules;

    fn modules() -> Modules {
        let dependencies = "net/a-b.ko.xz: lib/c.ko.xz lib/d.ko.xz\nlib/c.ko.xz:\nnet/e.ko:\n";
        Modules { dependencies: dependencies.to_owned(), built_in: "net/f.ko\n".to_owned() }
    }

    #[test]
    fn a_module_comes_with_all_that_it_needs() {
        let files = modules().files(&["a_b", "f"]).unwrap();
        assert_eq!(Vec::from_iter(files), ["lib/c.ko.xz", "lib/d.ko.xz", "net/a-b.ko.xz"]);
    }

    #[test]
    fn a_module_that_the_kernel_lacks_is_named() {
        assert!(["a_b", "e", "f"].iter().all(|name| modules().have(name)));
        assert!(!modules().have("g"));
        let error = modules().files(&["e", "g"]).unwrap_err();
        assert_eq!(error.to_string(), "the kernel has no module g");
    }
}
