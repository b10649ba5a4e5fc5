//! A whole policy as it is asked for.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Display,
};

use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use super::{Checked, GroupRequest, LimitRequest, LinkRequest};
use crate::{
    error::{Error, Kind, Result, ResultExt},
    policy::{GroupName, LinkLimit, Policy, TypedPrefix},
};

/// A whole policy as it is asked for: the body of `PUT /v1/policy`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default, expecting = "an object with limits, groups and links")]
pub struct PolicyRequest {
    /// Every limit.
    pub limits: Vec<LimitEntry>,
    /// Every group.
    pub groups: Vec<GroupEntry>,
    /// The limits of links; a link that is not named is not limited.
    pub links: Vec<LinkEntry>,
}

/// A limit and its prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with a limit and its prefix")]
pub struct LimitEntry {
    /// The addresses it applies to.
    pub prefix: TypedPrefix,
    /// The rest of it.
    #[serde(flatten)]
    pub limit: LimitRequest,
}

/// A group and its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with a group and its name")]
pub struct GroupEntry {
    /// Its name.
    pub name: GroupName,
    /// The rest of it.
    #[serde(flatten)]
    pub group: GroupRequest,
}

/// The limit of a link and its interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with a link's limit and its interface")]
pub struct LinkEntry {
    /// Name of the interface.
    pub interface: String,
    /// The rest of it.
    #[serde(flatten)]
    pub link: LinkRequest,
}

/// An entry is what it asks for, and the name of what it asks for.
macro_rules! entry_schema {
    ($entry:ty, $key:literal: $name:ty, $request:ty) => {
        impl PartialSchema for $entry {
            fn schema() -> RefOr<Schema> {
                let mut schema = <$request>::schema();
                if let RefOr::T(Schema::Object(object)) = &mut schema {
                    object.description = None;
                    object.properties.insert($key.to_owned(), <$name>::schema());
                    object.required.push($key.to_owned());
                }
                schema
            }
        }

        impl ToSchema for $entry {
            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                <$request as ToSchema>::schemas(schemas);
            }
        }
    };
}

entry_schema!(LimitEntry, "prefix": TypedPrefix, LimitRequest);
entry_schema!(GroupEntry, "name": GroupName, GroupRequest);
entry_schema!(LinkEntry, "interface": String, LinkRequest);

/// Warnings that are passed on; a policy may earn as many as it has limits.
const MAX_WARNINGS: usize = 20;

impl PolicyRequest {
    /// Fills in defaults and checks every value; whether the links are attached, the engine checks.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage), naming the entry at fault, when one is unsound by
    /// itself, is given twice, or names a group that is missing.
    pub fn check(&self, ipv6_host_prefix: u8) -> Result<Checked<Policy>> {
        self.check_beside(ipv6_host_prefix, &HashSet::new())
    }

    /// The same where limits may name groups that are there already.
    ///
    /// # Errors
    /// As with [`check`](Self::check).
    pub fn check_beside(
        &self,
        ipv6_host_prefix: u8,
        known: &HashSet<&GroupName>,
    ) -> Result<Checked<Policy>> {
        let mut policy = Policy::default();
        let mut warnings = Vec::new();
        let mut names = HashSet::new();
        for entry in &self.groups {
            let doing = || format!("group {}", entry.name);
            if !names.insert(&entry.name) {
                return Err(twice(doing()));
            }
            let group = entry.group.check(entry.name.clone()).doing(Kind::Usage, doing)?;
            policy.groups.push(collect(group, doing, &mut warnings));
        }
        let mut keys = HashSet::new();
        for entry in &self.limits {
            let doing = || format!("limit {}", entry.prefix);
            let limit = entry
                .prefix
                .resolve(ipv6_host_prefix)
                .and_then(|prefix| entry.limit.check(prefix))
                .doing(Kind::Usage, doing)?;
            let key = limit.value.key();
            if !keys.insert(key) {
                return Err(twice(format_args!("limit {key}")));
            }
            if let Some(group) = entry
                .limit
                .group
                .as_ref()
                .filter(|group| !names.contains(group) && !known.contains(group))
            {
                return Err(Error::usage(format_args!(
                    "limit {key} names group {group}, which is not among the groups"
                )));
            }
            policy.limits.push(collect(limit, doing, &mut warnings));
        }
        policy.links = self.check_links(&mut warnings)?;
        Ok(Checked { value: policy, warnings: shortened(warnings) })
    }

    fn check_links(&self, warnings: &mut Vec<String>) -> Result<BTreeMap<String, LinkLimit>> {
        let mut links = BTreeMap::new();
        for entry in &self.links {
            let doing = || format!("link {}", entry.interface);
            let link = entry.link.check().doing(Kind::Usage, doing)?;
            let link = collect(link, doing, warnings);
            if links.insert(entry.interface.clone(), link).is_some() {
                return Err(twice(doing()));
            }
        }
        Ok(links)
    }
}

impl From<&Policy> for PolicyRequest {
    /// What asks for this very policy.
    fn from(policy: &Policy) -> Self {
        let limits = policy
            .limits
            .iter()
            .map(|limit| LimitEntry { prefix: limit.prefix.into(), limit: limit.into() });
        let groups = policy
            .groups
            .iter()
            .map(|group| GroupEntry { name: group.name.clone(), group: group.into() });
        let links = policy
            .links
            .iter()
            .map(|(interface, link)| LinkEntry { interface: interface.clone(), link: link.into() });
        Self { limits: limits.collect(), groups: groups.collect(), links: links.collect() }
    }
}

/// Keeps the warnings of one entry, each with the entry's name.
fn collect<T>(checked: Checked<T>, name: impl Fn() -> String, warnings: &mut Vec<String>) -> T {
    warnings.extend(checked.warnings.iter().map(|warning| format!("{}: {warning}", name())));
    checked.value
}

fn shortened(mut warnings: Vec<String>) -> Vec<String> {
    let more = warnings.len().saturating_sub(MAX_WARNINGS);
    warnings.truncate(MAX_WARNINGS);
    if more > 0 {
        warnings.push(format!("and {more} more warnings"));
    }
    warnings
}

fn twice(entry: impl Display) -> Error {
    Error::usage(format_args!("{entry} is given twice"))
}
