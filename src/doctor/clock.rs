//! Compares this machine's clock with those that its files and requests are judged by.

use super::findings::Findings;

/// A clock that differs by more than this is set by hand, or not at all.
const NOTICEABLE_MS: u64 = 2_000;
/// Services differ a little, and requests take some time.
const NETWORK_MS: u64 = 60_000;
/// Azure refuses requests that are 15 minutes off; this is a minute less.
const REFUSED_MS: u64 = 14 * 60_000;

const SET: &str = "set the clock by NTP: timedatectl set-ntp true, or chronyc makestep";

/// A file just written to the lake's disk has the time of the machine that keeps the disk.
pub(super) fn disk(findings: &mut Findings, at_ms: i64, now_ms: u64) {
    let off = now_ms.abs_diff(u64::try_from(at_ms).unwrap_or_default());
    match off > NOTICEABLE_MS {
        true => findings.warn("clock", format!("the lake's disk differs from this machine by {} s", off / 1000), SET),
        false => findings.ok("clock", "the lake's disk and this machine agree"),
    }
}

/// The storage service's clock, taken from its answer to a listing.
pub(super) fn service(findings: &mut Findings, of: &str, at_ms: u64, now_ms: u64) {
    let off = now_ms.abs_diff(at_ms);
    let found = format!("this machine differs from the {of}'s service by {} s", off / 1000);
    match off {
        off if off > REFUSED_MS => {
            findings.problem("clock", found, format!("{SET}; requests that are 15 minutes off are refused"))
        }
        off if off > NETWORK_MS => findings.warn("clock", found, SET),
        _ => findings.ok("clock", format!("the {of}'s service and this machine agree")),
    }
}

/// PostgreSQL's clock, by which changes are dated.
#[cfg(feature = "pg_changes")]
pub(super) fn database(findings: &mut Findings, at_ms: i64, now_ms: u64) {
    let off = now_ms.abs_diff(u64::try_from(at_ms).unwrap_or_default());
    match off > NOTICEABLE_MS {
        true => findings.warn(
            "clock",
            format!("PostgreSQL's clock and this machine's differ by {} s", off / 1000),
            format!("{SET}, there and here; lags in seconds are wrong by that much, and nothing else is"),
        ),
        false => findings.ok("clock", "PostgreSQL and this machine agree"),
    }
}

/// A state file with a time in the future: the clock was set back since it was written.
pub(super) fn stepped_back(findings: &mut Findings, written_ms: u64, now_ms: u64) {
    let ahead = written_ms.saturating_sub(now_ms);
    if ahead > NOTICEABLE_MS {
        findings.warn(
            "clock",
            format!("the state file was written {} s in the future: the clock was set back", ahead / 1000),
            "check that the clock is right now: it dates the reading of rows; a run measures time by another clock, and loses nothing",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::findings::Level;
    use super::*;

    #[test]
    fn clocks_are_judged_by_what_depends_on_them() {
        let now = 1_795_244_400_000;
        let judged = |look: &dyn Fn(&mut Findings)| {
            let mut findings = Findings::default();
            look(&mut findings);
            (findings.count(Level::Problem), findings.count(Level::Warning))
        };
        for (off, expected) in [(0, (0, 0)), (59_000, (0, 0)), (120_000, (0, 1)), (15 * 60_000, (1, 0))] {
            assert_eq!(judged(&|f| service(f, "lake", now - off, now)), expected, "{off}");
            assert_eq!(judged(&|f| service(f, "lake", now + off, now)), expected, "{off}");
        }
        assert_eq!(judged(&|f| disk(f, 0, now)), (0, 1));
        assert_eq!(judged(&|f| stepped_back(f, now - 60_000, now)), (0, 0));
        assert_eq!(judged(&|f| stepped_back(f, now + 60_000, now)), (0, 1));
    }
}
