//! `completions`.

use clap::{Args, ValueEnum};

/// Which shell is to complete.
#[derive(Debug, Clone, Copy, Args)]
#[command(after_help = "\
Examples:
  throttle-agent completions bash > /etc/bash_completion.d/throttle-agent
  throttle-agent completions zsh > /usr/local/share/zsh/site-functions/_throttle-agent
  throttle-agent completions fish > ~/.config/fish/completions/throttle-agent.fish

Debian's package has them in place.")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// A shell that can complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash with its package bash-completion
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}
