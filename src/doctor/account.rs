//! An account in Azure: what its credential may do, and until when.

use lakefront_operators::azure::access::{self, Access, Permission};
use lakefront_operators::azure::{Credential, Location};
use lakefront_operators::error::chain;
use lakefront_operators::protocol::clock::Clock;

use super::findings::Findings;
use super::{PATIENCE, clock};

/// Checks the access to an account; whether it can be opened and nothing is denied.
pub(crate) async fn look(findings: &mut Findings, of: &'static str, location: &Location, clock: &dyn Clock) -> bool {
    if let Credential::Sas(query) = &location.account.credential {
        expiry(findings, query.reveal(), clock.now_ms());
    }
    let access = match tokio::time::timeout(PATIENCE, access::probe(location)).await {
        Ok(Ok(access)) => access,
        Ok(Err(error)) => {
            let advice = "fix what it names; docs/azure.md lists what opens an account, and in which order";
            findings.problem(of, chain(&error), advice);
            return false;
        }
        Err(_) => {
            let found = format!("account {} did not answer within {} s", location.account.name, PATIENCE.as_secs());
            findings.problem(of, found, "check that its name is right, and that it can be reached from here");
            return false;
        }
    };
    let Access { list, read, at_ms, .. } = &access;
    let denied = [list, read].into_iter().any(|permission| matches!(permission, Permission::Denied(_)));
    match denied {
        true => findings.problem(of, access.to_string(), "give the identity, key or signature what it lacks"),
        false => findings.ok(of, access.to_string()),
    }
    if let Some(at_ms) = at_ms {
        clock::service(findings, of, *at_ms, clock.now_ms());
    }
    !denied
}

/// Checks when a signature expires, which it states itself: `se=2026-12-01T00:00:00Z`, with colons
/// escaped or not.
fn expiry(findings: &mut Findings, query: &str, now_ms: u64) {
    const WEEK_MS: u64 = 7 * 24 * 3_600_000;
    let Some(at_ms) = query.split('&').find_map(|pair| pair.strip_prefix("se=")).and_then(moment_ms) else { return };
    let left = at_ms.saturating_sub(now_ms);
    let advice = "create a new signature, and replace the old one";
    if left == 0 {
        findings.problem("access", "the shared access signature has expired", advice);
    } else if left < WEEK_MS {
        findings.warn("access", format!("the shared access signature expires in {} hours", left / 3_600_000), advice);
    }
}

/// A time in a signature, in milliseconds since 1970; a date alone means its first moment.
fn moment_ms(text: &str) -> Option<u64> {
    let text = text.replace("%3A", ":").replace("%3a", ":");
    let (date, time) = text.split_once('T').unwrap_or((&text, "00:00:00Z"));
    let numbers = |text: &str, by| text.split(by).map(|part| part.parse::<u64>().ok()).collect::<Option<Vec<u64>>>();
    let (date, time) = (numbers(date, '-')?, numbers(time.strip_suffix('Z')?.split('.').next()?, ':')?);
    let (&[year, month, day], &[hour, minute, ..]) = (&date[..], &time[..]) else { return None };
    let second = time.get(2).copied().unwrap_or(0);
    if year > 9999 || !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 24 || minute > 59 || second > 60
    {
        return None;
    }
    // Days since 1970-01-01. Years begin in March here, so that the leap day is the last.
    let (year, month): (u64, u64) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    Some((((days.checked_sub(719_469)? * 24 + hour) * 60 + minute) * 60 + second) * 1000)
}

#[cfg(test)]
mod tests {
    use super::super::findings::Level;
    use super::*;

    #[test]
    fn moments_of_signatures() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-11-21T07%3A00%3A00Z", Some(1_795_244_400_000)),
            ("2026-11-21T07:00Z", Some(1_795_244_400_000)),
            ("2026-11-21", Some(1_795_219_200_000)),
            ("2000-02-29T00:00:00.5Z", Some(951_782_400_000)),
            ("tomorrow", None),
            ("2026-11-21T07:00:00+01:00", None),
        ] {
            assert_eq!(moment_ms(text), ms, "{text}");
        }
    }

    #[test]
    fn a_signature_is_judged_by_its_end() {
        for (end, problems, warnings) in [("2026-11-21", 1, 0), ("2026-11-23", 0, 1), ("2027-11-23", 0, 0)] {
            let mut findings = Findings::default();
            expiry(&mut findings, &format!("sv=1&se={end}T07%3A00%3A00Z&sig=hunter2"), 1_795_244_400_000);
            assert_eq!((findings.count(Level::Problem), findings.count(Level::Warning)), (problems, warnings), "{end}");
            assert!(!findings.text().contains("hunter2"));
        }
    }
}
