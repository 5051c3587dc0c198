//! The source: whether it can be opened, listed and read, and by which credential.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use lakefront_operators::azure::access::{self, Access, Permission};
use lakefront_operators::azure::{Credential, Location};
use lakefront_operators::error::chain;
use lakefront_operators::protocol::clock::Clock;
use lakefront_operators::source::file::FileSource;
use lakefront_operators::source::{Listed, Source};

use super::clock;
use super::findings::Findings;
use crate::config::{Config, SourceUrl, show_size};
use crate::shapes::{self, First};

/// What has not answered by then counts as unreachable.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// At most this many files are opened to check that they can be.
const OPENED: usize = 1_000;

/// Checks a source that could be opened.
pub(super) async fn look(findings: &mut Findings, config: &Config, source: &Arc<dyn Source>, clock: &dyn Clock) {
    if let SourceUrl::Azure(location) = &config.source.url
        && !account(findings, "source", location, clock).await
    {
        return;
    }
    let identity = source.identity();
    let listed = match tokio::time::timeout(PATIENCE, source.list()).await {
        Ok(Ok(listing)) => listing.files,
        Ok(Err(error)) => {
            return findings.problem("source", chain(&error), "check that it is there, and that this user may list it");
        }
        Err(_) => {
            let found = format!("{identity} was not listed within {} s", PATIENCE.as_secs());
            return findings.problem("source", found, "check that the service is up and can be reached from here");
        }
    };
    let bytes: u64 = listed.iter().map(|file| file.length).sum();
    let found = format!("{identity}: {} files, {}", listed.len(), show_size(bytes));
    match listed.is_empty() {
        true => {
            findings.warn("source", found, "check that source.url is the right folder, if there should be logs already")
        }
        false => findings.ok("source", found),
    }
    if let SourceUrl::File(path) = &config.source.url {
        readable(findings, path, &listed);
    }
    let First { good, bad } = shapes::first(source.as_ref(), &listed, &config.rows).await;
    good.into_iter().for_each(|found| findings.ok("lines", found));
    bad.into_iter().for_each(|(found, advice)| findings.warn("lines", found, advice));
}

/// Checks the access to an account; whether it can be opened and nothing is denied.
pub(super) async fn account(findings: &mut Findings, of: &'static str, location: &Location, clock: &dyn Clock) -> bool {
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

/// Opens files as a run would.
fn readable(findings: &mut Findings, path: &str, listed: &[Listed]) {
    let Ok(source) = FileSource::open(path) else { return };
    let refused = listed.iter().take(OPENED).find_map(|file| {
        let path = source.path(&file.name);
        File::open(&path).err().map(|error| (path, error))
    });
    if let Some((path, error)) = refused {
        findings.problem(
            "source",
            format!("{} cannot be read: {error}", path.display()),
            "let the user who runs lakefront read the logs: by its group, or log_file_mode = 0640 in PostgreSQL",
        );
    }
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
