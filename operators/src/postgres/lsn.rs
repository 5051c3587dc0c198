//! Places in PostgreSQL's log.

use std::fmt;

/// A place in PostgreSQL's write-ahead log: how many bytes were written before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lsn(pub u64);

/// As PostgreSQL writes it.
impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & u64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_postgresql_writes_it() {
        let places = [0x16_B374_D848, 0x0A, 39_337_256, (22 << 32) | 10].map(|place| Lsn(place).to_string());
        assert_eq!(places, ["16/B374D848", "0/A", "0/2583D28", "16/A"]);
    }
}
