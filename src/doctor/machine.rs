//! The machine: its cores, its memory and how many files may be open, compared with what the
//! pipeline may use.

use std::fs;
use std::num::NonZero;
use std::path::Path;

use super::findings::Findings;
use crate::config::show_size;
use crate::pipeline::{Appetite, Described};

const MIB: u64 = 1 << 20;
/// What the program takes before it reads: code, the runtime, network buffers.
const BASE: u64 = 128 * MIB;
/// Open files besides those of the workers: standard streams, the lock, connections, directories
/// that are being synced.
const FILES: u64 = 64;
/// Enough for a cut with lines of a thousand days.
const FILES_BY_DAY: u64 = 4096;

/// Checks the machine, and what a pipeline needs of it if there is one.
pub(super) fn look(findings: &mut Findings, pipeline: Option<&dyn Described>) {
    cores(findings, pipeline);
    memory(findings, pipeline);
    open_files(findings, pipeline);
}

fn cores(findings: &mut Findings, pipeline: Option<&dyn Described>) {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    match pipeline.map(|pipeline| pipeline.common().workers) {
        Some(workers) if workers > cores => findings.warn(
            "cores",
            format!("{workers} workers on {cores} cores"),
            format!("set workers = {cores}: more than one per core take turns and use more memory"),
        ),
        Some(workers) => findings.ok("cores", format!("{workers} workers on {cores} cores")),
        None => findings.ok("cores", format!("{cores} cores")),
    }
}

fn memory(findings: &mut Findings, pipeline: Option<&dyn Described>) {
    match [meminfo("MemAvailable:"), cgroup_limit()].into_iter().flatten().min() {
        Some(available) => enough_memory(findings, available, pipeline),
        None => findings.warn("memory", "the system does not report how much is free", "check that /proc is mounted"),
    }
}

fn enough_memory(findings: &mut Findings, available: u64, pipeline: Option<&dyn Described>) {
    let has = show_size(available / MIB * MIB);
    let Some(pipeline) = pipeline else { return findings.ok("memory", format!("{has} available")) };
    let Appetite { memory, least, .. } = pipeline.appetite();
    let needed = memory.saturating_add(BASE);
    let found = format!("{has} available, and the pipeline may take {}", show_size(needed.div_ceil(MIB) * MIB));
    match available.checked_sub(BASE).filter(|room| *room / MIB * MIB >= least) {
        _ if needed <= available => findings.ok("memory", found),
        Some(room) => {
            let advice = format!("give it more, or set limits.memory = \"{}\" at most", show_size(room / MIB * MIB));
            findings.warn("memory", found, advice);
        }
        None => {
            let advice = "give it more, or lower workers, source.max_line or source.chunk, and limits.memory with them";
            findings.warn("memory", found, advice);
        }
    }
}

fn meminfo(key: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The lowest memory limit of the control groups that this process is in: a container's, or a
/// unit's.
fn cgroup_limit() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let below = own.lines().find_map(|line| line.strip_prefix("0::"))?.trim_start_matches('/');
    let limit = |group: &Path| fs::read_to_string(Path::new("/sys/fs/cgroup").join(group).join("memory.max")).ok();
    let limits = Path::new(below).ancestors().filter_map(limit);
    limits.filter_map(|text| text.trim().parse::<u64>().ok()).min()
}

fn open_files(findings: &mut Findings, pipeline: Option<&dyn Described>) {
    let Some(limit) = open_file_limit() else {
        return findings.warn("files", "the system does not report the limit", "check that /proc is mounted");
    };
    let may = match limit {
        u64::MAX => "any number of files may be open".to_owned(),
        limit => format!("{limit} files may be open"),
    };
    let Some(pipeline) = pipeline else { return findings.ok("files", may) };
    let Appetite { files, by_day, .. } = pipeline.appetite();
    let needs = FILES + pipeline.common().workers as u64 * files;
    let raise = "raise it: LimitNOFILE= in a systemd unit, ulimit -n in a shell";
    if limit < needs {
        findings.problem("files", format!("{may}, and the pipeline needs {needs}"), raise);
    } else if limit < FILES_BY_DAY && by_day {
        findings.warn("files", format!("{may}, and lines of many days keep one open per day"), raise);
    } else {
        findings.ok("files", may);
    }
}

/// The soft limit on open files of this process.
fn open_file_limit() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/limits").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests;
