//! How large the records of each partition are, from what was read of it. Kafka tells nobody how
//! many bytes a range of offsets has, so this bounds what is handed out.

use std::collections::HashMap;
use std::sync::Mutex;

/// What an offset takes before anything was read of its partition, in bytes: an event of Debezium
/// with a dozen columns.
const FIRST: u64 = 1024;
/// How many reads it takes for a new size to be believed about half.
const WEIGHT: u64 = 2;

/// The sizes, shared by those who read and those who hand out.
#[derive(Debug, Default)]
pub struct Sizes(Mutex<HashMap<String, u64>>);

impl Sizes {
    /// About how many bytes an offset of this partition takes; at least one.
    pub(super) fn of(&self, partition: &str) -> u64 {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get(partition).copied().unwrap_or(FIRST)
    }

    /// Whether anything was read of this partition.
    pub(super) fn knows(&self, partition: &str) -> bool {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).contains_key(partition)
    }

    /// So many offsets had so many bytes. Larger ones are believed at once, smaller ones in time.
    pub(super) fn learn(&self, partition: &str, offsets: u64, bytes: u64) {
        if offsets == 0 {
            return;
        }
        let seen = (bytes / offsets).max(1);
        let mut sizes = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let size = sizes.entry(partition.to_owned()).or_insert(seen);
        *size = seen.max((*size * (WEIGHT - 1) + seen) / WEIGHT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_what_is_read() {
        let sizes = Sizes::default();
        assert_eq!(sizes.of("t/0"), FIRST);
        sizes.learn("t/0", 100, 20_000);
        assert_eq!((sizes.of("t/0"), sizes.of("t/1")), (200, FIRST));
        sizes.learn("t/0", 10, 1_000_000);
        assert_eq!(sizes.of("t/0"), 100_000);
        sizes.learn("t/0", 1000, 0);
        assert_eq!(sizes.of("t/0"), 50_000);
        (0..40).for_each(|_| sizes.learn("t/0", 1000, 0));
        assert_eq!(sizes.of("t/0"), 1);
    }
}
