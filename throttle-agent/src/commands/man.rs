//! `man`: the manual pages, made of what `--help` says.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::{
    cli::Cli,
    error::{Error, Result},
};

/// The agent and its commands are for those who administrate a system.
const SECTION: &str = "8";
const MANUAL: &str = "System Administration";

pub(super) fn run(directory: &Path) -> Result<()> {
    for (name, page) in pages().map_err(|error| Error::of_io(error, "writing a manual page"))? {
        let path = directory.join(name);
        let failed = |error| Error::of_io(error, format_args!("writing {}", path.display()));
        fs::write(&path, page).map_err(failed)?;
    }
    Ok(())
}

/// Every page with the name of its file.
fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    add_pages(&command, &mut pages)?;
    Ok(pages)
}

fn add_pages(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    pages.push((format!("{name}.{SECTION}"), page(command)?));
    let mut shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    shown.try_for_each(|command| add_pages(command, pages))
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let source = concat!("throttle ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).section(SECTION).manual(MANUAL).source(source);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(text) = command.get_after_help() {
        write_as_typed(&text.to_string(), &mut page)?;
    }
    Ok(page)
}

/// Examples and notes keep their lines.
fn write_as_typed(text: &str, page: &mut Vec<u8>) -> io::Result<()> {
    let (title, text) = match text.split_once('\n') {
        Some(("Examples:", rest)) => ("EXAMPLES", rest),
        Some(_) | None => ("NOTES", text),
    };
    writeln!(page, ".SH {title}\n.nf")?;
    for line in text.lines() {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        // A dot or a quotation mark in front would begin a request.
        let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
        writeln!(page, "{guard}{line}")?;
    }
    writeln!(page, ".fi")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_that_is_shown_has_a_page_with_examples() {
        let pages = pages().unwrap();
        for (name, page) in &pages {
            let page = String::from_utf8_lossy(page);
            assert!(page.contains("\n.SH EXAMPLES\n"), "{name}:\n{page}");
        }
        let has = |wanted: &str| pages.iter().any(|(name, _)| name == wanted);
        assert!(has("throttle-agent.8") && has("throttle-agent-limit-set.8"));
        assert!(!has("throttle-agent-man.8"));
    }

    #[test]
    fn lines_that_look_like_requests_are_text() {
        let mut page = Vec::new();
        write_as_typed("Examples:\n.x \\n --all", &mut page).unwrap();
        let expected = ".SH EXAMPLES\n.nf\n\\&.x \\en \\-\\-all\n.fi\n";
        assert_eq!(String::from_utf8(page).unwrap(), expected);
    }
}
