//! What each command does.

mod completions;
mod detach;
mod events;
mod group;
mod host;
mod limit;
mod link;
mod man;
mod policy;
mod run;
mod stats;
mod status;
mod top;

use std::{path::Path, process::ExitCode};

use serde::de::DeserializeOwned;

use crate::{
    cli::{
        self, Cli, Command, Global, GroupCommand, HostCommand, LimitCommand, LinkCommand, Parsed,
    },
    control::{ChangeName, Client},
    error::{Kind, Result, ResultExt},
    instance::RUN_DIR,
    output::{self, Output, Show},
    policy::{Rates, RatesView},
};

/// What every command that talks to the agent needs.
struct Context {
    client: Client,
    output: Output,
}

impl Context {
    fn new(global: &Global) -> Self {
        let client = Client::new(global.instance.clone(), Path::new(RUN_DIR));
        Self { client, output: Output::new(global) }
    }

    /// Asks for what may be long and shows it. As JSON it is not read here: the agent makes it of the rows
    /// that make the tables.
    async fn show<T: DeserializeOwned + Show>(&self, path: &str) -> Result<()> {
        if self.output.is_json() {
            return self.output.show_json(&self.client.get_json(path).await?);
        }
        self.output.show(&self.client.get::<T>(path).await?)
    }

    fn warn(&self, warnings: &[String]) {
        warnings.iter().for_each(|warning| self.output.warn(warning));
    }
}

/// Does what was typed, and tells what went wrong.
#[must_use]
pub fn run_this_process() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let (color, json) = (cli::color_typed(&words), cli::json_typed(&words));
    let cli = match cli::parse(words) {
        Ok(Parsed::Run(cli)) => cli,
        Ok(Parsed::Shown) => return ExitCode::SUCCESS,
        Err(error) => return output::report(&error, json, color),
    };
    match run(*cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::report(&error, json, color),
    }
}

/// Runs a command.
///
/// # Errors
///
/// Whatever keeps it from being done; the error's kind is the exit code.
pub fn run(cli: Cli) -> Result<()> {
    let Cli { global, command } = cli;
    let context = Context::new(&global);
    match command {
        Command::Run(args) => run::run(&global, args),
        Command::Detach(args) => detach::run(&context, &global, args),
        Command::Completions(args) => completions::run(args.shell),
        Command::Man { directory } => man::run(&directory),
        Command::Check(args) => policy::check(&context, &args),
        Command::Apply(args) => policy::apply(&context, &args),
        Command::Import(args) => policy::import(&context, &args),
        Command::Export => wait(policy::export(&context)),
        Command::Reload => wait(policy::reload(&context)),
        Command::Limit(LimitCommand::Set(args)) => wait(limit::set(&context, &args)),
        Command::Limit(LimitCommand::Del(name)) => wait(limit::delete(&context, &name)),
        Command::Limit(LimitCommand::Show(name)) => wait(limit::show(&context, &name)),
        Command::Limit(LimitCommand::List) => wait(limit::list(&context)),
        Command::Group(GroupCommand::Set(args)) => wait(group::set(&context, &args)),
        Command::Group(GroupCommand::Del { name }) => wait(group::delete(&context, &name)),
        Command::Group(GroupCommand::Show { name }) => wait(group::show(&context, &name)),
        Command::Group(GroupCommand::List) => wait(group::list(&context)),
        Command::Link(LinkCommand::Set(args)) => wait(link::set(&context, &args)),
        Command::Link(LinkCommand::Show { interface }) => wait(link::show(&context, &interface)),
        Command::Link(LinkCommand::List) => wait(link::list(&context)),
        Command::Host(HostCommand::Show { address }) => wait(host::show(&context, address)),
        Command::Host(HostCommand::List { top, sort }) => wait(host::list(&context, top, sort)),
        Command::Stats(args) => wait(stats::run(&context, args)),
        Command::Top(args) => wait(top::run(context, &global, args)),
        Command::Events(args) => wait(events::run(&context, args)),
        Command::Status => wait(status::run(&context)),
    }
}

/// What was done, to begin a sentence about it.
fn done_word(change: ChangeName) -> &'static str {
    match change {
        ChangeName::Created => "set",
        ChangeName::Replaced => "replaced",
        ChangeName::Unchanged => "unchanged:",
    }
}

/// The rates that are set, as in `up 10mbit burst 312500b; down 2kpps burst 500`.
fn rates_words(up: RatesView, down: RatesView, total: RatesView) -> Vec<String> {
    let named = [("up", up), ("down", down), ("total", total)];
    let named = named.map(|(name, view)| (name, Rates::from(view)));
    let set = named.iter().filter(|(_, rates)| !rates.is_empty());
    set.map(|(name, rates)| format!("{name} {rates}")).collect()
}

/// Runs one conversation with the agent.
fn wait<T>(conversation: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.doing(Kind::Failed, || "starting the event loop")?.block_on(conversation)
}
