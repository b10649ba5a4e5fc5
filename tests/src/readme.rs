//! The commands that the README tells people to type.

use std::path::Path;

use anyhow::{Context as _, Result};

/// A block of shell under its heading.
#[derive(Debug)]
pub struct Block {
    /// The heading.
    pub title: String,
    /// The lines.
    pub script: String,
}

/// The README of the workspace.
pub fn text() -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}

/// The blocks of shell in the section of this title.
pub fn blocks(text: &str, section: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut title = "";
    let mut block: Option<Vec<&str>> = None;
    for line in section_of(text, section).lines() {
        match (&mut block, line) {
            (Some(lines), "```") => {
                blocks.push(Block { title: title.to_owned(), script: lines.join("\n") });
                block = None;
            }
            (Some(lines), line) => lines.push(line),
            (None, "```sh") => block = Some(Vec::new()),
            (None, line) => title = line.strip_prefix("### ").unwrap_or(title),
        }
    }
    blocks
}

/// What stands in backquotes in the last column of the table with this head, if it begins with one of
/// `verbs`.
pub fn cells(text: &str, head: &str, verbs: &[&str]) -> Vec<String> {
    let rows = text.lines().skip_while(|line| *line != head).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.trim_end_matches('|').rsplit('|').next());
    let quoted = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let is_command = |words: &&str| verbs.iter().any(|verb| words.split(' ').next() == Some(*verb));
    quoted.filter(is_command).map(str::to_owned).collect()
}

fn section_of<'a>(text: &'a str, title: &str) -> &'a str {
    let (_, section) = text.split_once(&format!("\n## {title}\n")).unwrap_or_default();
    section.split("\n## ").next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# x\n## Recipes\n### One\nwords\n```sh\na\nb\n```\n## Other\n```sh\nc\n```\n\
                        | to | run |\n| --- | --- |\n| x | `limit set` and `stats`, `-j` |\n\n| `limit` |";

    #[test]
    fn blocks_are_those_of_the_section() {
        let blocks = blocks(TEXT, "Recipes");
        assert_eq!(blocks.len(), 1);
        assert_eq!((blocks[0].title.as_str(), blocks[0].script.as_str()), ("One", "a\nb"));
    }

    #[test]
    fn cells_are_commands_of_the_table() {
        assert_eq!(cells(TEXT, "| to | run |", &["limit", "stats"]), ["limit set", "stats"]);
    }
}
