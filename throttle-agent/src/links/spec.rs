//! What an operator says about links: which interfaces, and where the hosts are.

use std::{fmt, str::FromStr};

use throttle_common::abi::Side;

use crate::{datapath::is_readable, policy::LinkLimit};

/// Names of interfaces: one name, or a glob such as `wg*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(glob::Pattern);

impl Pattern {
    /// Whether an interface of this name is meant.
    #[must_use]
    pub fn matches(&self, interface: &str) -> bool {
        self.0.matches(interface)
    }

    /// The name, when exactly one is meant.
    #[must_use]
    pub fn exact(&self) -> Option<&str> {
        let text = self.0.as_str();
        (!text.contains(['*', '?', '['])).then_some(text)
    }

    /// The text that it was made of.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.as_str())
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("interface \"\" has no name: write eth1, or a glob such as wg*".to_owned());
        }
        glob::Pattern::new(text)
            .map(Self)
            .map_err(|error| format!("interface {text:?} is no name and no glob: {}", error.msg))
    }
}

/// Interfaces to attach to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSpec {
    /// Their names.
    pub pattern: Pattern,
    /// Where the hosts are, seen from them.
    pub side: Side,
    /// The limit that each gets when it is attached; `None` leaves it as it is.
    pub limit: Option<LinkLimit>,
    /// Whether to wait for an interface that is not there; a glob always waits.
    pub may_be_absent: bool,
}

impl LinkSpec {
    /// The interface without which there is nothing to start for.
    #[must_use]
    pub fn required(&self) -> Option<&str> {
        self.pattern.exact().filter(|_| !self.may_be_absent)
    }

    /// Why an interface of a hardware type, `ARPHRD_*`, is passed by although its name matches: a glob
    /// passes by what cannot be read.
    #[must_use]
    pub fn passes_by(&self, hardware_type: u16) -> Option<String> {
        let is_passed_by = self.pattern.exact().is_none() && !is_readable(hardware_type);
        is_passed_by.then(|| format!("packets of hardware type {hardware_type} cannot be read"))
    }
}

impl FromStr for LinkSpec {
    type Err = String;

    /// Reads `IF`, `IF:far` or `IF:near`.
    fn from_str(text: &str) -> Result<Self, String> {
        // The kernel refuses colons in names.
        let (interface, side) = match text.split_once(':') {
            None => (text, Side::default()),
            Some((interface, "far")) => (interface, Side::Far),
            Some((interface, "near")) => (interface, Side::Near),
            Some((interface, _)) => {
                let interface = interface.escape_debug();
                return Err(format!(
                    "interface {text:?} has an unknown side: write {interface}:far or {interface}:near"
                ));
            }
        };
        if interface.is_empty() {
            return Err(format!(
                "interface {text:?} has no name: write eth1, eth1:far or eth1:near"
            ));
        }
        Ok(Self { pattern: interface.parse()?, side, limit: None, may_be_absent: false })
    }
}

/// The specification that holds for an interface: the first one that matches its name.
#[must_use]
pub fn spec_for<'a>(specs: &'a [LinkSpec], interface: &str) -> Option<&'a LinkSpec> {
    specs.iter().find(|spec| spec.pattern.matches(interface))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(text: &str) -> Result<LinkSpec, String> {
        text.parse()
    }

    #[test]
    fn the_side_is_far_unless_told_otherwise() {
        for (text, side) in
            [("eth1", Side::Far), ("eth1:far", Side::Far), ("eth1:near", Side::Near)]
        {
            let pattern = "eth1".parse().unwrap();
            let spec = LinkSpec { pattern, side, limit: None, may_be_absent: false };
            assert_eq!(spec.required(), Some("eth1"));
            assert_eq!(link(text), Ok(spec));
        }
    }

    #[test]
    fn bad_sides_and_names_are_refused_with_the_accepted_form() {
        assert!(link("eth1:left").unwrap_err().ends_with("write eth1:far or eth1:near"));
        assert!(link(":far").unwrap_err().contains("has no name"));
        assert!(link("").unwrap_err().contains("has no name"));
        assert!(link("eth[").unwrap_err().contains("no glob"));
    }

    #[test]
    fn the_first_specification_that_matches_holds() {
        let specs = [link("wg0:near").unwrap(), link("wg*").unwrap()];
        let side = |name| spec_for(&specs, name).map(|spec| spec.side);
        assert_eq!(side("wg0"), Some(Side::Near));
        assert_eq!(side("wg1"), Some(Side::Far));
        assert_eq!(side("eth0"), None);
        assert_eq!(specs.each_ref().map(|spec| spec.pattern.exact()), [Some("wg0"), None]);
    }
}
