//! What each command does.

mod detach;
mod host;
mod limit;
mod run;
mod stats;
mod status;

use std::path::Path;

use crate::{
    cli::{Cli, Command, Global, HostCommand, LimitCommand},
    control::Client,
    error::{Kind, Result, ResultExt},
    instance::RUN_DIR,
    output::Output,
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
        Command::Limit(LimitCommand::Set(args)) => wait(limit::set(&context, &args)),
        Command::Limit(LimitCommand::Del { prefix }) => wait(limit::delete(&context, prefix)),
        Command::Limit(LimitCommand::Show { prefix }) => wait(limit::show(&context, prefix)),
        Command::Limit(LimitCommand::List) => wait(limit::list(&context)),
        Command::Host(HostCommand::Show { address }) => wait(host::show(&context, address)),
        Command::Host(HostCommand::List { top, sort }) => wait(host::list(&context, top, sort)),
        Command::Stats(args) => wait(stats::run(&context, args)),
        Command::Status => wait(status::run(&context)),
    }
}

/// Runs one conversation with the agent.
fn wait<T>(conversation: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.doing(Kind::Failed, || "starting the event loop")?.block_on(conversation)
}
