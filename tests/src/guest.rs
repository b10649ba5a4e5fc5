//! What suites need that run only where the kernel has more than this machine's: in the guests of
//! `cargo xtask vmtest`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::netns::Namespace;

/// Ends the calling test as [`skip`](crate::restrict::skip) says unless it runs in a guest of
/// `cargo xtask vmtest`.
#[macro_export]
macro_rules! require_guest {
    () => {
        $crate::require_root!();
        if std::env::var_os("THROTTLE_TESTS_IN_GUEST").is_none() {
            $crate::restrict::skip(
                "needs kernel features that few machines have; run `cargo xtask vmtest`",
            );
            return;
        }
    };
}

/// Tells `cargo xtask vmtest` what a test found out; `kind` is one word.
pub fn tell(kind: &str, value: &impl Serialize) -> Result<()> {
    let json = serde_json::to_string(value).with_context(|| format!("telling of {kind}"))?;
    println!("vmtest: data {kind} {json}");
    Ok(())
}

/// All that guests have [told](tell), which is in a JSON file.
pub fn told<T: DeserializeOwned>(file: &Path) -> Result<Vec<T>> {
    let doing = || format!("reading {}", file.display());
    let text = fs::read_to_string(file).with_context(doing)?;
    serde_json::from_str(&text).with_context(doing)
}

/// Gives `interface` a queueing discipline for what it sends, such as `fq` or `netem delay 20ms`, in place of
/// its present one.
pub fn set_qdisc(namespace: &Namespace, interface: &str, qdisc: &str) -> Result<()> {
    namespace.tc(&format!("qdisc replace dev {interface} root {qdisc}")).map(drop)
}
