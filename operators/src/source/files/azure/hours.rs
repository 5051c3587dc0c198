//! Folders of hours: new blobs appear only in them, so most listings need not ask for all blobs.

use azure_core::time::OffsetDateTime;

const HOUR: i64 = 3600;

/// The pattern of an hour's folder, such as `y=%Y/m=%m/d=%d/h=%H/`.
pub(super) struct Hours {
    pattern: String,
}

impl Hours {
    pub(super) fn new(pattern: &str) -> Self {
        Hours { pattern: pattern.to_owned() }
    }

    /// The part of a blob's name before its first hour folder; `None` if there is no such folder.
    pub(super) fn head<'a>(&self, name: &'a str) -> Option<&'a str> {
        let starts = std::iter::once(0).chain(name.match_indices('/').map(|(slash, _)| slash + 1));
        starts.into_iter().find(|start| self.begins(&name[*start..])).map(|start| &name[..start])
    }

    /// Whether `name` begins with the folder of some hour.
    fn begins(&self, name: &str) -> bool {
        let (mut pattern, mut name) = (self.pattern.chars(), name.chars());
        while let Some(expected) = pattern.next() {
            let digits = match expected {
                '%' if pattern.next() == Some('Y') => 4,
                '%' => 2,
                _ => 0,
            };
            let matches = match digits {
                0 => name.next() == Some(expected),
                _ => (0..digits).all(|_| name.next().is_some_and(|c| c.is_ascii_digit())),
            };
            if !matches {
                return false;
            }
        }
        true
    }

    /// The folders of the hour at `now_ms`, in UTC, and of the one before it.
    pub(super) fn recent(&self, now_ms: u64) -> Vec<String> {
        let now = i64::try_from(now_ms / 1000).unwrap_or_default();
        let times = [now, now - HOUR].map(|at| OffsetDateTime::from_unix_timestamp(at).ok());
        times.into_iter().flatten().map(|at| self.folder(at)).collect()
    }

    fn folder(&self, at: OffsetDateTime) -> String {
        self.pattern
            .replace("%Y", &format!("{:04}", at.year()))
            .replace("%m", &format!("{:02}", u8::from(at.month())))
            .replace("%d", &format!("{:02}", at.day()))
            .replace("%H", &format!("{:02}", at.hour()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours() -> Hours {
        Hours::new("y=%Y/m=%m/d=%d/h=%H/")
    }

    #[test]
    fn a_servers_own_part_of_a_name_ends_where_the_hours_begin() {
        let server = "resourceId=/SUBSCRIPTIONS/A/FLEXIBLESERVERS/B/";
        let name = format!("{server}y=2026/m=11/d=21/h=07/m=00/PT1H.json");
        assert_eq!(hours().head(&name), Some(server));
        assert_eq!(hours().head("y=2026/m=11/d=21/h=07/m=00/PT1H.json"), Some(""));
        for other in ["a.json", "y=2026/m=11/x.json", "a/y=26/m=11/d=21/h=07/x", "xy=2026/m=11/d=21/h=07/x"] {
            assert_eq!(hours().head(other), None, "{other}");
        }
    }

    #[test]
    fn the_hour_before_may_be_yesterday() {
        // 2027-01-01 00:30:00 UTC.
        let expected = ["y=2027/m=01/d=01/h=00/", "y=2026/m=12/d=31/h=23/"];
        assert_eq!(hours().recent(1_798_763_400_000), expected);
    }
}
