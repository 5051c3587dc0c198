//! Resource usage of a process, as the kernel reports it.

use std::fs;
use std::time::Duration;

use lakefront_operators::protocol::document::Process;

/// Clock ticks per second in the times that the kernel shows to programs: the same on every machine
/// that lakefront runs on.
const TICKS: u64 = 100;

/// Resource usage of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resources {
    /// User and system time so far.
    pub(crate) cpu: Duration,
    /// Resident memory.
    pub(crate) resident_bytes: u64,
    /// Peak resident memory since the process began.
    pub(crate) peak_bytes: u64,
}

/// Maximum characters of a host name: more than any has.
const HOST: usize = 100;

/// This process, as it is recorded in the claims that it makes at `now_ms`.
pub(crate) fn this(now_ms: u64) -> Process {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = name.trim().chars().filter(|c| !c.is_control()).take(HOST).collect();
    Process { host, pid: std::process::id(), since_ms: now_ms }
}

/// Usage of this process; `None` if the kernel does not report it.
pub(crate) fn usage() -> Option<Resources> {
    read("self")
}

/// Usage of the process with that id; `None` if it has ended.
pub(crate) fn usage_of(id: u32) -> Option<Resources> {
    read(&id.to_string())
}

fn read(process: &str) -> Option<Resources> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let (resident_bytes, peak_bytes) = (memory(&status, "VmRSS:")?, memory(&status, "VmHWM:")?);
    Some(Resources { cpu: cpu(&stat)?, resident_bytes, peak_bytes })
}

/// User and system time: fields 14 and 15, counted from the end of the program's name, which may
/// contain spaces and parentheses.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(11).map(str::parse::<u64>);
    let ticks = times.next()?.ok()? + times.next()?.ok()?;
    Some(Duration::from_millis(ticks * 1_000 / TICKS))
}

fn memory(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_moves_no_field() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 99 1000 200";
        assert_eq!(cpu(stat), Some(Duration::from_secs(3)));
    }

    #[test]
    fn a_process_is_known_by_its_host_and_its_number() {
        let Process { host, pid, since_ms } = this(7);
        assert!(!host.is_empty() && !host.contains('\n'), "{host:?}");
        assert_eq!((pid, since_ms), (std::process::id(), 7));
    }

    #[test]
    fn the_kernel_says_what_we_use() {
        let usage = usage().expect("a kernel with /proc");
        assert!(usage.resident_bytes > 100_000, "{} bytes", usage.resident_bytes);
        assert!(usage.peak_bytes >= usage.resident_bytes, "{usage:?}");
        assert!(usage_of(std::process::id()).is_some(), "by its number too");
    }
}
