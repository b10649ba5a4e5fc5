//! `detach`: through the agent, or without one.

use std::path::{Path, PathBuf};

use hyper::Method;

use super::{Context, wait};
use crate::{
    agent::{NetnsName, check_privileges, not_attached},
    cli::{DetachArgs, Global},
    config::AgentKeys,
    control::{self, DetachRequest, Detached},
    datapath::{Datapath, InstanceLock, Options},
    error::{Kind, Result},
    instance::{PIN_ROOT, RUN_DIR},
    saved,
};

pub(super) fn run(context: &Context, global: &Global, args: DetachArgs) -> Result<()> {
    let request = match &args.iface {
        Some(interface) => DetachRequest::Interface(interface.clone()),
        None => DetachRequest::All {},
    };
    let answer = match wait(context.client.send(Method::POST, "/v1/detach", &request)) {
        Err(error) if error.kind() == Kind::NotRunning => without_agent(global, &args)?,
        answered => answered?,
    };
    let instance = &global.instance;
    match &args.iface {
        Some(interface) => context.output.done(&answer, format_args!("detached from {interface}")),
        None => {
            context.output.done(&answer, format_args!("nothing of instance {instance} is left"))
        }
    }
}

/// Does what the agent would do, holding its lock so that none starts meanwhile.
///
/// The socket of an agent that was killed goes as well.
fn without_agent(global: &Global, args: &DetachArgs) -> Result<Detached> {
    check_privileges(args.netns.is_some())?;
    args.netns.as_ref().map_or(Ok(()), NetnsName::enter)?;
    let defaults = AgentKeys::default();
    let options = Options {
        instance: global.instance.name().to_owned(),
        pin_root: PathBuf::from(PIN_ROOT),
        hook: defaults.hook(),
        max_hosts: defaults.max_hosts(),
        max_limits: defaults.max_limits(),
        ipv6_host_prefix: defaults.ipv6_host_prefix(),
        kernel_log: None,
    };
    let _lock = match &args.iface {
        Some(_) => Some(InstanceLock::take(&options)?),
        None => InstanceLock::take_to_remove(&options)?,
    };
    let _socket = control::claim(&global.instance.socket(Path::new(RUN_DIR)))?;
    match &args.iface {
        Some(interface) => detach_one(&options, interface),
        None => {
            Datapath::remove(&options)?;
            saved::remove(&args.state_dir.join(global.instance.name()))?;
            Ok(Detached::default())
        }
    }
}

fn detach_one(options: &Options, interface: &str) -> Result<Detached> {
    let mut datapath = Datapath::open(options)?;
    if !datapath.adopted() {
        // Nothing was there; opening it has made pins.
        drop(datapath);
        Datapath::remove_pins(options)?;
        return Err(not_attached(interface, &[]));
    }
    if datapath.detach(interface)? {
        return Ok(Detached { detached: vec![interface.to_owned()] });
    }
    Err(not_attached(interface, &datapath.links()))
}
