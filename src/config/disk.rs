//! The `[disk]` section: how much space a run leaves free, what it may delete for that, and what it
//! does when that is not enough.
//!
//! Promises: going by the paths as written, a folder to be cleaned neither contains nor lies in the
//! lake, the source or the state file's folder. Leaves to the run: links in these paths.

use std::path::{Path, PathBuf};

use lakefront_operators::run::space::{Clean, OnLow};
use toml::Value;

use super::raw::{Reading, Section};
use super::values::{self, choice, duration, size};
use super::{DiskConfig, LakeConfig, LakeRoot, SourceConfig, SourceUrl, defaults, units};

/// Reads `[disk]`; `kept` are the paths that the run needs, `None` if they could not be read.
pub(super) fn disk(top: &mut Section<'_>, kept: Option<&[PathBuf]>) -> Option<DiskConfig> {
    let mut section = top.section("disk");
    let min_free = section.optional("min_free", defaults::MIN_FREE, |v| size(v, defaults::MIN_FREE_ALLOWED));
    let on_low =
        section.optional("on_low", defaults::ON_LOW, |v| choice(v, &[("stop", OnLow::Stop), ("pause", OnLow::Pause)]));
    let clean = section.optional("clean", Vec::new(), clean);
    if let (Some(clean), Some(kept)) = (&clean, kept)
        && clean.iter().any(|clean| kept.iter().any(|kept| clean.touches(kept).unwrap_or(true)))
    {
        let constraint = "no dir may contain or lie in lake.root, source.url or the folder of source.state_file: \
                          old files there would be deleted";
        section.refuse("clean", constraint.to_owned());
    }
    section.finish();
    Some(DiskConfig { min_free: min_free?, on_low: on_low?, clean: clean? })
}

/// The paths that a run reads and writes on this machine, without the state file's folder.
pub(super) fn kept(source: &SourceConfig, lake: &LakeConfig) -> Vec<PathBuf> {
    let mut kept = Vec::new();
    if let LakeRoot::File(root) = &lake.root {
        kept.push(root.clone());
    }
    if let SourceUrl::File(path) = &source.url {
        let fixed = path.find(['*', '?', '[', '{']).map_or(path.as_str(), |glob| match path[..glob].rfind('/') {
            Some(slash) => &path[..=slash],
            None => ".",
        });
        kept.push(PathBuf::from(fixed));
    }
    kept
}

/// The folder that `file` lies in.
pub(super) fn folder_of(file: &Path) -> PathBuf {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

/// A list of folders, each with the age from which its files may be deleted.
fn clean(value: &Value) -> Reading<Vec<Clean>> {
    let allowed = || {
        let (least, most) = (defaults::CLEAN_AGE_ALLOWED.start(), defaults::CLEAN_AGE_ALLOWED.end());
        format!(
            "allowed is a list such as [{{ dir = \"/var/tmp/old\", older_than = \"1h\" }}], each dir a path without \"..\" and \
             each older_than from {} to {}",
            units::show_duration(*least),
            units::show_duration(*most)
        )
    };
    let one = |value: &Value| {
        let table = value.as_table()?;
        let dir = values::path(table.get("dir")?).ok()?;
        let upwards = dir.components().any(|component| component == std::path::Component::ParentDir);
        let older_than = match table.get("older_than") {
            Some(value) => duration(value, defaults::CLEAN_AGE_ALLOWED).ok()?,
            None => defaults::CLEAN_AGE,
        };
        let known = table.keys().all(|key| ["dir", "older_than"].contains(&key.as_str()));
        (known && !upwards).then_some(Clean { dir, older_than })
    };
    let list = value.as_array().and_then(|list| list.iter().map(one).collect());
    list.ok_or_else(allowed)
}
