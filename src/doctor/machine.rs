//! The machine: cores, memory, and how many files may be open, against what the pipeline may take of them.

use std::fs;
use std::num::NonZero;
use std::path::Path;

use super::findings::Findings;
use crate::config::{Config, PartitionBy, show_size};

const MIB: u64 = 1 << 20;
/// What the program takes before it reads: code, the runtime, buffers of the network.
const BASE: u64 = 128 * MIB;
/// A worker encodes rows of two tables at a time, and each encoder keeps at most this much.
const ENCODERS: u64 = 2 * 64 * MIB;
/// Open files beside those of workers: standard streams, the lock, connections, directories that are synced.
const FILES: u64 = 64;
/// Enough for the lines of a cut that are of a thousand days.
const FILES_BY_DAY: u64 = 4096;

/// Looks at the machine; what a pipeline needs of it, if there is one.
pub(super) fn look(findings: &mut Findings, config: Option<&Config>) {
    cores(findings, config);
    memory(findings, config);
    open_files(findings, config);
}

fn cores(findings: &mut Findings, config: Option<&Config>) {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    match config.map(|config| config.workers) {
        Some(workers) if workers > cores => findings.warn(
            "cores",
            format!("{workers} workers on {cores} cores"),
            format!("set workers = {cores}: more than one a core take turns and hold more memory"),
        ),
        Some(workers) => findings.ok("cores", format!("{workers} workers on {cores} cores")),
        None => findings.ok("cores", format!("{cores} cores")),
    }
}

fn memory(findings: &mut Findings, config: Option<&Config>) {
    let available = [meminfo("MemAvailable:"), cgroup_limit()].into_iter().flatten().min();
    let Some(available) = available else {
        return findings.warn("memory", "the system does not say how much there is", "see that /proc is mounted");
    };
    let has = show_size(available / MIB * MIB);
    let Some(config) = config else { return findings.ok("memory", format!("{has} to be had")) };
    let needs = needed_memory(config);
    let shown = show_size(needs / MIB * MIB);
    match needs > available {
        true => findings.warn(
            "memory",
            format!("{has} to be had, and the pipeline may take {shown}"),
            "give it more, or lower workers, source.in_flight or source.chunk",
        ),
        false => findings.ok("memory", format!("{has} to be had, the pipeline may take {shown}")),
    }
}

/// Bytes that a run holds at most, but for lines that are longer than a chunk.
fn needed_memory(config: &Config) -> u64 {
    let chunks = config.source.in_flight as u64 * 2 * config.source.chunk;
    BASE + config.workers as u64 * (chunks + ENCODERS)
}

fn meminfo(key: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The least limit of the control groups that this process is in: a container's, or a unit's.
fn cgroup_limit() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let below = own.lines().find_map(|line| line.strip_prefix("0::"))?.trim_start_matches('/');
    let limit = |group: &Path| fs::read_to_string(Path::new("/sys/fs/cgroup").join(group).join("memory.max")).ok();
    let limits = Path::new(below).ancestors().filter_map(limit);
    limits.filter_map(|text| text.trim().parse::<u64>().ok()).min()
}

fn open_files(findings: &mut Findings, config: Option<&Config>) {
    let Some(limit) = open_file_limit() else {
        return findings.warn("files", "the system does not say how many may be open", "see that /proc is mounted");
    };
    let may = match limit {
        u64::MAX => "any number of files may be open".to_owned(),
        limit => format!("{limit} files may be open"),
    };
    let Some(config) = config else { return findings.ok("files", may) };
    // Of each table one, of each chunk in flight one.
    let needs = FILES + config.workers as u64 * (3 + config.source.in_flight as u64);
    let raise = "raise it: LimitNOFILE= in a systemd unit, ulimit -n in a shell";
    if limit < needs {
        findings.problem("files", format!("{may}, and the pipeline needs {needs}"), raise);
    } else if limit < FILES_BY_DAY && config.lake.partition_by == PartitionBy::Day {
        findings.warn("files", format!("{may}, and lines of many days keep one open for each"), raise);
    } else {
        findings.ok("files", may);
    }
}

/// The soft limit of this process.
fn open_file_limit() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/limits").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::findings::Level;
    use super::*;
    use crate::config;

    fn pipeline(workers: usize) -> Config {
        let text = format!(
            "pipeline = \"p\"\ntopology = \"pg_logs\"\nworkers = {workers}\n[source]\nurl = \"file:logs/\"\nformat = \"azure\"\n\
             [lake]\nroot = \"file:lake\"\ncatalog = \"c\"\nschema = \"s\"\n"
        );
        config::parse(&text, &|_| None).expect("a good file")
    }

    #[test]
    fn what_a_pipeline_takes_grows_with_its_workers() {
        let more = needed_memory(&pipeline(3)) - needed_memory(&pipeline(2));
        assert_eq!((needed_memory(&pipeline(2)), more), (448 * MIB, 160 * MIB));
    }

    #[test]
    fn this_machine_can_be_looked_at() {
        assert!(meminfo("MemAvailable:").is_some_and(|bytes| bytes > MIB));
        assert!(open_file_limit().is_some_and(|files| files > 10));
        let mut findings = Findings::default();
        look(&mut findings, None);
        assert_eq!(findings.count(Level::Problem) + findings.count(Level::Warning), 0, "{}", findings.text());
        look(&mut findings, Some(&pipeline(256)));
        assert!(findings.text().contains("256 workers"), "{}", findings.text());
    }
}
