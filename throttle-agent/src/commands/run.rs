//! `run`.

use std::path::PathBuf;

use crate::{
    agent::{self, RunOptions},
    cli::{Global, RunArgs},
    error::Result,
    instance::{PIN_ROOT, RUN_DIR},
};

pub(super) fn run(global: &Global, args: RunArgs) -> Result<()> {
    agent::run(&RunOptions {
        instance: global.instance.clone(),
        run_dir: PathBuf::from(RUN_DIR),
        pin_root: PathBuf::from(PIN_ROOT),
        links: args.iface,
        netns: args.netns,
        hook: args.hook,
        max_hosts: args.max_hosts,
        max_limits: args.max_limits,
        ipv6_host_prefix: args.ipv6_host_prefix,
        metrics: args.metrics,
        metrics_hosts: args.metrics_hosts,
        kernel_log: args.kernel_log,
        detach_on_exit: args.detach_on_exit,
        verbose: global.verbose,
        color: global.color,
    })
}
