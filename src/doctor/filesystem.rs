//! Kinds of file systems: which of them differ from a folder on a disk.

use std::path::Path;

use rustix::fs::statfs;

/// The magic number of a file system, as statfs(2) lists it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind(u32);

/// The kind that `folder` lies on; `None` if the system does not report it.
pub(super) fn kind(folder: &Path) -> Option<Kind> {
    // The field's type differs from platform to platform; the numbers have 32 bits.
    statfs(folder).ok().map(|found| Kind(found.f_type as u32))
}

impl Kind {
    pub(super) const TMPFS: Kind = Kind(0x0102_1994);
    pub(super) const OVERLAY: Kind = Kind(0x794c_7630);
    const REMOTE: [(Kind, &'static str); 7] = [
        (Kind(0x6969), "NFS"),
        (Kind(0x517b), "SMB"),
        (Kind(0xff53_4d42), "CIFS"),
        (Kind(0xfe53_4d42), "SMB"),
        (Kind(0x6573_5546), "FUSE"),
        (Kind(0x0102_1997), "9P"),
        (Kind(0x00c3_6400), "Ceph"),
    ];

    /// Whether other machines may write there too, by rules of their own.
    pub(super) fn is_remote(self) -> bool {
        Self::REMOTE.iter().any(|(kind, _)| *kind == self)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::TMPFS => "tmpfs, which is memory",
            Self::OVERLAY => "an overlay",
            other => {
                Self::REMOTE.iter().find(|(kind, _)| *kind == other).map_or("another file system", |(_, name)| name)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart() {
        assert_eq!(
            kind(Path::new("/proc")).map(Kind::name),
            Some("another file system"),
            "it is none of the kinds that matter"
        );
        assert!(kind(Path::new("/proc")).is_some_and(|kind| !kind.is_remote()));
        assert!(kind(Path::new("/none-such")).is_none());
        assert!(Kind(0x6969).is_remote() && !Kind::TMPFS.is_remote());
    }
}
