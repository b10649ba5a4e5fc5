//! The pages under `docs/`: frames written by hand, with sections that commands write.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{exec, workspace};

/// A part of a page that one command writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Section {
    /// The page's name, without folder and ending.
    pub(crate) page: &'static str,
    /// The section's name in the marks around it.
    pub(crate) name: &'static str,
}

impl Section {
    /// Looks for what writing it takes, ahead of the work that it is to tell of: hours of that are not lost for want
    /// of a page or a commit. What is checked out is what that work is done with, whatever follows meanwhile.
    pub(crate) fn open(self) -> Result<Draft> {
        let path = self.check()?;
        let file = fs::OpenOptions::new().append(true).open(&path);
        file.with_context(|| doing("writing", &path))?;
        Ok(Draft { section: self, origin: Origin::now()? })
    }

    /// Checks that its page has it, and returns where that is.
    pub(crate) fn check(self) -> Result<PathBuf> {
        let (path, page) = self.read()?;
        replaced(&page, self.name, |_| String::new()).with_context(|| doing("renewing", &path))?;
        Ok(path)
    }

    /// Replaces the section by what `change` makes of it.
    fn edit(self, change: impl FnOnce(&str) -> String) -> Result<()> {
        let (path, page) = self.read()?;
        let page = replaced(&page, self.name, change).with_context(|| doing("renewing", &path))?;
        fs::write(&path, page).with_context(|| doing("writing", &path))?;
        eprintln!("docs: wrote the section `{}` of {}", self.name, path.display());
        Ok(())
    }

    /// Where the page is, and its text.
    fn read(self) -> Result<(PathBuf, String)> {
        let path = workspace::root()?.join(format!("docs/{}.md", self.page));
        let page = fs::read_to_string(&path).with_context(|| doing("reading", &path))?;
        Ok((path, page))
    }
}

/// A section that waits for the end of the work that it tells of.
#[derive(Debug)]
pub(crate) struct Draft {
    section: Section,
    /// Where the work began.
    origin: Origin,
}

impl Draft {
    /// Replaces the section by `text`, below a line that says when, of which commit and on what machine it was made.
    pub(crate) fn record(&self, text: &str) -> Result<()> {
        let Origin { date, commit, machine } = &self.origin;
        let content = format!("Measured {date} at {commit}, on {machine}.\n\n{}", text.trim());
        self.section.edit(|_| content)
    }

    /// Replaces the section by what `change` makes of it.
    pub(crate) fn edit(&self, change: impl FnOnce(&str) -> String) -> Result<()> {
        self.section.edit(change)
    }
}

fn doing(verb: &str, path: &Path) -> String {
    format!("{verb} {}", path.display())
}

/// `page` with what `change` makes of the text between the marks of the section `name`.
fn replaced(page: &str, name: &str, change: impl FnOnce(&str) -> String) -> Result<String> {
    let (begin, end) = (format!("<!-- {name}: "), format!("<!-- end {name} -->"));
    let missing = || format!("it has no section between `{begin}... -->` and `{end}`");
    let from = page.find(&begin).with_context(missing)?;
    let from = from + page[from..].find("-->\n").with_context(missing)? + "-->\n".len();
    let to = from + page[from..].find(&end).with_context(missing)?;
    let content = change(page[from..to].trim());
    Ok(format!("{}\n{content}\n\n{}", &page[..from], &page[to..]))
}

/// When, of which commit and on what machine something is measured.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) date: String,
    /// What is checked out, and whether the tree differs from it.
    pub(crate) commit: String,
    /// Kernel and processors.
    pub(crate) machine: String,
}

impl Origin {
    pub(crate) fn now() -> Result<Self> {
        let date = exec::output(Command::new("date").args(["--utc", "+%F"]), "asking for the date");
        Ok(Self { date: date?.trim().to_owned(), commit: commit()?, machine: machine()? })
    }
}

fn machine() -> Result<String> {
    let kernel = exec::output(Command::new("uname").args(["-rm"]), "asking for the kernel")?;
    let processors = fs::read_to_string("/proc/cpuinfo").context("reading /proc/cpuinfo")?;
    let models = || processors.lines().filter_map(|line| line.strip_prefix("model name"));
    let model =
        models().next().map_or("processor", |model| model.trim_start_matches(['\t', ':', ' ']));
    Ok(format!("Linux {}, {} x {model}", kernel.trim(), models().count()))
}

/// The commit that is checked out. Pages and the verifiers' figures are results, which change nothing that is
/// measured.
fn commit() -> Result<String> {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(workspace::root()?).args(arguments);
        exec::output(&mut git, "asking git for the commit").context(
            "cannot tell of which commit the results will be; hint: record in a clone that git takes for this \
             user's own (`git status` says what it misses)",
        )
    };
    let hash = git(&["rev-parse", "--short=10", "HEAD"])?;
    let results = [":!docs", ":!tests/verifier.json"];
    let changes = git(&[&["status", "--porcelain", "--", "."], &results[..]].concat())?;
    let changed = if changes.trim().is_empty() { "" } else { " with changes" };
    Ok(format!("commit {}{changed}", hash.trim()))
}

#[cfg(test)]
mod tests {
    use super::replaced;

    const PAGE: &str = "# A\n<!-- one: written by x -->\nold\n<!-- end one -->\nwords\n<!-- two: y -->\n<!-- end two -->\n";

    #[test]
    fn only_the_named_section_is_replaced_and_again_alike() {
        let renew = |old: &str| {
            assert!(["old", "new"].contains(&old));
            "new".to_owned()
        };
        let once = replaced(PAGE, "one", renew).unwrap();
        let expected = "# A\n<!-- one: written by x -->\n\nnew\n\n<!-- end one -->\nwords\n<!-- two: y -->\n<!-- end two -->\n";
        assert_eq!(once, expected);
        assert_eq!(replaced(&once, "one", renew).unwrap(), once);
        assert!(
            replaced(PAGE, "two", |_| "new".to_owned())
                .unwrap()
                .contains("y -->\n\nnew\n\n<!-- end two")
        );
    }

    #[test]
    fn a_page_without_the_section_is_refused() {
        for page in ["", "<!-- one: x -->\n", "<!-- end one -->\n"] {
            let error = replaced(page, "one", |_| "new".to_owned()).unwrap_err();
            assert!(error.to_string().contains("<!-- end one -->"), "{error}");
        }
    }
}
