//! Opens the datapath, new or with the pins of an earlier agent, and removes it.

use aya::{
    Ebpf,
    maps::{Array, Map, MapData},
};
use throttle_common::abi::{Link, Policy};

use super::{
    Datapath, Options,
    carry::{self, Older},
    clock,
    config::ConfigMap,
    events::ExcessEvents,
    hooks,
    links::LinkTable,
    lock, maps, netns, object,
    pins::Pins,
};
use crate::{
    error::{Error, Kind, Result, ResultExt},
    fault,
};

impl Datapath {
    /// Loads the program into maps that are new, or pinned by an earlier agent of the instance.
    ///
    /// An adopted instance keeps its limits, hosts, counters and links; each link gets the new
    /// program in one step.
    ///
    /// # Errors
    /// Privileges are missing, the kernel cannot do it, or the pins do not fit.
    pub fn open(options: &Options) -> Result<Self> {
        // Counters are read, and hosts forgotten, by this clock.
        clock::monotonic_ns()?;
        let older = Older::find(options)?;
        let pins = Pins::create(options)?;
        let left = Left {
            is_any: older.is_some() || !pins.names()?.is_empty(),
            has_policy: older.is_some() || pins.have_all_maps(),
        };
        Self::assemble(options, &pins, older, &left).inspect_err(|_| {
            if !left.is_any
                && let Err(error) = pins.remove()
            {
                tracing::warn!(%error, "removing what a failed start has left");
            }
        })
    }

    /// Loads the program and reads everything that the maps hold.
    fn assemble(options: &Options, pins: &Pins, older: Option<Older>, left: &Left) -> Result<Self> {
        let mut ebpf = load(options, pins, older.as_ref(), left)?;
        let mut config = maps::config(&mut ebpf)?;
        let mut links = prepare(&mut ebpf, &mut config, pins, options)?;
        let policy = config.policy();
        let limits = maps::limits(&mut ebpf, &links, &config, options)?;
        // Hosts bound while an earlier agent was killed half-way look their limit up anew.
        config.switch(Policy { has_peers: limits.has_peers(), ..policy });
        let hosts = maps::hosts(&mut ebpf, config.get(), options)?;
        let counters = maps::counters(&mut ebpf)?;
        let overflow = maps::array(&mut ebpf, "OVERFLOW")?;
        let events = Some(ExcessEvents::new(&mut ebpf)?);
        links.adopt(&mut ebpf)?;
        fault::after("adopting the links");
        older.map_or(Ok(()), |older| older.finish(hosts.reader().directions()))?;
        let hook = options.hook;
        let mut datapath = Self {
            ebpf,
            config,
            links,
            limits,
            hosts,
            counters,
            events,
            overflow,
            hook,
            adopted: left.is_any,
            turn: 0,
        };
        datapath.forget_limits_of_lost_links();
        datapath.forget_rows_of_unlimited_links()?;
        datapath.check_pacing()?;
        Ok(datapath)
    }

    /// The policy is in force: programs of an earlier agent that have enforced until now are replaced, and what
    /// it has left behind besides is removed.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn take_over(&mut self) -> Result<()> {
        self.links.take_over(&mut self.ebpf)
    }

    /// Detaches every link, also where pins are missing.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn detach_all(&mut self) -> Result<()> {
        self.links.detach_all()
    }

    /// Detaches every link of the instance and removes its pins, and filters that no pin tells of. The caller has
    /// the [`InstanceLock`](super::InstanceLock).
    ///
    /// `false` when there is nothing of the instance.
    ///
    /// # Errors
    /// Privileges are missing, or the kernel refuses.
    pub fn remove(options: &Options) -> Result<bool> {
        let found = Self::remove_pins(options)?;
        Ok(hooks::remove_strays(&Pins::of(options), |_| false)? || found)
    }

    /// The same, but for filters that no pin tells of.
    ///
    /// # Errors
    /// As with [`remove`](Self::remove).
    pub fn remove_pins(options: &Options) -> Result<bool> {
        let mut found = false;
        for pins in carry::places(options)?.into_iter().filter(Pins::exist) {
            detach(&pins, options)?;
            fault::after("detaching the links");
            pins.remove()?;
            found = true;
        }
        carry::check_versions(options)?;
        if found {
            lock::forget(options);
        }
        Ok(found)
    }
}

/// What earlier agents have left.
struct Left {
    /// Any pin.
    is_any: bool,
    /// All that a policy is made of.
    has_policy: bool,
}

/// Loads the programs with the maps of an earlier agent, or with new ones; whatever is pinned is held from now on.
///
/// Maps stand for something only together. Where one is missing, all begin anew, and programs of an earlier agent go
/// on with theirs until the policy is in force. Only then is the last one pinned: an agent that ends before that leaves
/// maps that nobody adopts.
fn load(options: &Options, pins: &Pins, older: Option<&Older>, left: &Left) -> Result<Ebpf> {
    pins.check_maps()?;
    if !left.has_policy {
        pins.remove_maps()?;
    }
    let place = |name: &str| {
        let older = older.and_then(|older| older.path(name));
        older.unwrap_or_else(|| pins.path(name))
    };
    let ebpf = object::load(options, place)?;
    if let Some(older) = older {
        older.move_pins(pins)?;
    }
    pins.names()?.iter().try_for_each(|name| pins.hold(name))?;
    if !left.has_policy {
        pins.withhold()?;
    }
    Ok(ebpf)
}

/// Fills a new configuration in, and reads which links there are: all of them in this network namespace.
fn prepare(
    ebpf: &mut Ebpf,
    config: &mut ConfigMap,
    pins: &Pins,
    options: &Options,
) -> Result<LinkTable> {
    let cookie = netns::cookie()?;
    config.initialise(cookie, maps::host_sets(ebpf)?, options.ipv6_host_prefix)?;
    fault::after("filling in the configuration");
    note_ipv6_host_prefix(config.ipv6_host_prefix(), options.ipv6_host_prefix);
    let links = LinkTable::new(maps::array(ebpf, "LINKS")?, pins.clone())?;
    if config.get().netns_cookie != cookie {
        check_links_are_gone(&links, pins, options)?;
        config.set_netns_cookie(cookie);
    }
    Ok(links)
}

/// Says so when adopted hosts are not of the length that was asked for.
fn note_ipv6_host_prefix(found: u8, asked: u8) {
    if found != asked {
        tracing::warn!("adopted IPv6 hosts stay /{found}s; /{asked}s were asked for");
    }
}

/// Detaches every link of the pins.
///
/// Where maps are missing, or of a foreign layout, links go with their own pins, and clsact filters are found by
/// their handles.
fn detach(pins: &Pins, options: &Options) -> Result<()> {
    let is_readable = ["LINKS", "CONFIG"].iter().all(|name| pins.path(name).exists());
    if !is_readable || pins.check_maps().is_err() {
        return Ok(());
    }
    let links = Array::try_from(Map::Array(pinned(pins, "LINKS")?))
        .doing(Kind::Failed, || "opening map LINKS")?;
    let mut links = LinkTable::new(links, pins.clone())?;
    let config = ConfigMap::new(&pinned(pins, "CONFIG")?)?;
    if config.get().netns_cookie != netns::cookie()? {
        check_links_can_be_reached(&links, pins, options)?;
    }
    links.detach_all()
}

/// Refuses to take pins over whose links work in another network namespace.
fn check_links_are_gone(links: &LinkTable, pins: &Pins, options: &Options) -> Result<()> {
    // A clsact filter cannot be seen from another namespace.
    let in_use = |link: &Link| is_clsact(link) || hooks::is_alive(link.ifindex, pins);
    if !links.iter().any(in_use) {
        return Ok(());
    }
    let instance = &options.instance;
    Err(Error::failed(format!(
        "adopting instance {instance}: its links are in another network namespace"
    ))
    .hint("use another `--instance`, or the same `--netns` as before, or `detach --all` it first"))
}

/// Refuses to remove pins of clsact filters from a network namespace in which they are not.
fn check_links_can_be_reached(links: &LinkTable, pins: &Pins, options: &Options) -> Result<()> {
    if !links.iter().any(is_clsact) {
        return Ok(());
    }
    let (instance, directory) = (&options.instance, pins.directory().display());
    Err(Error::failed(format!(
        "detaching instance {instance}: its clsact filters are in another network namespace"
    ))
    .hint(format!("pass the `--netns` it runs in; if that is gone, remove {directory}")))
}

fn is_clsact(link: &Link) -> bool {
    link.flags & Link::CLSACT != 0
}

fn pinned(pins: &Pins, name: &str) -> Result<MapData> {
    let path = pins.path(name);
    MapData::from_pin(&path).doing(Kind::Failed, || format!("opening {}", path.display()))
}
