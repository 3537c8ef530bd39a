//! `[content.<name>]`: trees of files that are edited and pushed, behind the services of the deployment.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{DescriptionProblem, Position};
use super::raw;
use super::read::Reading;
use crate::coordinate::{CoordinateError, Group, Label, ServiceCoordinate, ServiceLabel};
use crate::recipe::Context;

/// A content as `deployment.toml` describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedContent {
    /// The group of its package.
    pub group: Group,
    /// The id of its package.
    pub id: Label,
    /// The channel that a host follows; `None`: the one that the environment names.
    pub channel: Option<Label>,
    /// The service that reads it, and is reloaded when it changes. Hosts that run it have the content; all hosts where none is named.
    pub reload: Option<ServiceLabel>,
    /// Where it is described.
    pub at: Position,
}

/// A content as one host has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostContent {
    /// Its name.
    pub name: Label,
    /// The group of its package.
    pub group: Group,
    /// The id of its package.
    pub id: Label,
    /// The channel that the host follows.
    pub channel: Label,
    /// The instances that are reloaded when it changes.
    pub reload: Vec<ServiceCoordinate>,
}

/// Reads the contents of a description, whose services are `services`.
pub(super) fn contents(
    raw: BTreeMap<String, raw::Content>,
    services: &BTreeSet<ServiceLabel>,
    reading: &Reading<'_>,
) -> BTreeMap<Label, DescribedContent> {
    let read = |(name, raw): (String, raw::Content)| {
        let at = Context::table("content").key(&name);
        let content = content(&raw, services, &at, reading);
        Some((reading.take(at.parse(&name))?, content?))
    };
    raw.into_iter().filter_map(read).collect()
}

fn content(
    raw: &raw::Content,
    services: &BTreeSet<ServiceLabel>,
    at: &Context,
    reading: &Reading<'_>,
) -> Option<DescribedContent> {
    let package = at.key("package");
    let Some((group, id)) = raw.package.split_once(':') else {
        let why = "it is group:id, and the channel has a key of its own";
        reading.fail(&package, CoordinateError::new("package", &raw.package, why));
        return None;
    };
    let (group, id) = (reading.take(package.parse(group)), reading.take(package.parse(id)));
    let channel = reading.take(at.key("channel").parse_option(raw.channel.as_deref()));
    let known = |name: &String| services.iter().find(|known| known.as_str() == name).cloned();
    let reload = raw
        .reload
        .as_ref()
        .map(|name| known(name).ok_or_else(|| DescriptionProblem::unknown("service", name, services)));
    let reload = match reload.transpose() {
        Ok(reload) => reload,
        Err(problem) => {
            reading.fail(&at.key("reload"), problem);
            return None;
        }
    };
    Some(DescribedContent { group: group?, id: id?, channel: channel?, reload, at: reading.position(at) })
}
