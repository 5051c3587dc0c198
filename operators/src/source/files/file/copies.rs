//! Whole copies of files that are gone: what `copytruncate`, `rsync` or a move between file systems
//! leaves behind, recognised by what is known of the file's bytes. Only bytes that were planned are
//! read from them: which file a partition goes on in, the listing decides.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::Inner;
use super::folders::entries;
use super::stat::Stat;
use crate::source::files::identity::{Anchor, Fingerprint, Identity};
use crate::source::files::{Listed, Sought};

impl Inner {
    /// A copy of the sought file, in its folder: under its name, or under one that begins with it,
    /// as rotation makes them.
    pub(super) fn copy_of(&self, sought: &Sought) -> Option<Listed> {
        let identity = &sought.identity;
        // Of less than that, any file could be a copy.
        if identity.fingerprint.length == 0
            || identity.fingerprint.length == Fingerprint::MAX && identity.anchor.is_none()
        {
            return None;
        }
        let path = self.root.join(&sought.name);
        let (folder, name) = (path.parent()?, path.file_name()?);
        for entry in entries(folder).ok()?.files {
            let begins_alike = |other: &std::ffi::OsStr| other.as_encoded_bytes().starts_with(name.as_encoded_bytes());
            if entry.is_link || !entry.path.file_name().is_some_and(begins_alike) {
                continue;
            }
            let below = entry.path.strip_prefix(&self.root).unwrap_or(&entry.path);
            if is_copy(&entry.path, identity).unwrap_or(false) {
                let name = below.to_string_lossy().into_owned();
                let listed = Stat::of(&entry.path, None).ok()?.listed(name);
                self.places().insert(listed.created.clone(), entry.path);
                return Some(listed);
            }
        }
        None
    }
}

/// Whether the file at `path` has all that is known of the file of that identity.
fn is_copy(path: &Path, identity: &Identity) -> io::Result<bool> {
    if !std::fs::symlink_metadata(path)?.is_file() {
        return Ok(false);
    }
    let file = File::open(path)?;
    let read = |start: u64, end: u64| {
        let mut bytes = vec![0; usize::try_from(end - start).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, start).map(|()| bytes)
    };
    let range = identity.anchor.and_then(|anchor| Anchor::range(anchor.end));
    Ok(Fingerprint::of(&read(0, identity.fingerprint.length)?) == identity.fingerprint
        && match range {
            Some(range) => Some(Anchor::of(range.end, &read(range.start, range.end)?)) == identity.anchor,
            None => true,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::files::file::FileSource;

    #[test]
    fn a_whole_copy_is_recognised_by_its_first_and_last_bytes_and_another_file_is_not() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| folder.path().join(name);
        let bytes: Vec<u8> = (0..3_000_u32).map(|byte| (byte % 251) as u8).collect();
        let anchor = Some(Anchor::of(2_500, &bytes[1_476..2_500]));
        let identity = Identity { fingerprint: Fingerprint::of(&bytes), anchor, ..Identity::default() };
        let sought = Sought { name: "a.json".into(), identity };
        let source = FileSource::open(&format!("{}/*.json", folder.path().display())).expect("a source");
        let copy = || source.inner.copy_of(&sought).map(|listed| listed.name);
        let put = |name: &str, bytes: &[u8]| std::fs::write(at(name), bytes).expect("a file");

        put("b.json", &bytes);
        put("a.json.1", &bytes[..2_400]);
        let mut other = bytes.clone();
        other[2_000] ^= 1;
        put("a.json.2", &other);
        assert_eq!(copy(), None, "it has another name, is a part, or differs");
        put("a.json.3", &bytes);
        assert_eq!(copy().as_deref(), Some("a.json.3"));
        std::fs::remove_file(at("a.json.3")).expect("removed");
        put("a.json", &bytes);
        assert_eq!(copy().as_deref(), Some("a.json"));
    }
}
