//! `run`.

use std::path::{self, PathBuf};

use crate::{
    agent::{self, RunOptions},
    cli::{Global, RunArgs},
    config::Config,
    error::{Error, Result},
    instance::{PIN_ROOT, RUN_DIR},
};

pub(super) fn run(global: &Global, args: RunArgs) -> Result<()> {
    let typed = args.settings();
    let config = args.config.map(read).transpose()?;
    let of_file = config.as_ref().map(|(_, config)| config.agent).unwrap_or_default();
    agent::run(&RunOptions {
        instance: global.instance.clone(),
        run_dir: PathBuf::from(RUN_DIR),
        pin_root: PathBuf::from(PIN_ROOT),
        links: args.iface,
        config,
        state_dir: (!args.ephemeral).then_some(args.state_dir),
        settings: typed.or(of_file),
        netns: args.netns,
        metrics_hosts: args.metrics_hosts,
        kernel_log: args.kernel_log,
        detach_on_exit: args.detach_on_exit,
        verbose: global.verbose,
        color: global.color,
    })
}

/// The file, and its path wherever the process goes.
fn read(file: PathBuf) -> Result<(PathBuf, Config)> {
    let config = Config::read(&file)?;
    let path = path::absolute(&file)
        .map_err(|error| Error::of_io(error, format_args!("finding {}", file.display())))?;
    config.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    Ok((path, config))
}
