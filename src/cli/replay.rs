//! The arguments of `lakefront replay`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::tools::size;
use crate::config;

#[derive(Args)]
pub(crate) struct ReplayArgs {
    /// The file with the lines.
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// The file or blob that grows: a path, az://container/blob or https://…; in a folder it gets
    /// FILE's name.
    #[arg(long, value_name = "PLACE")]
    pub(crate) to: String,
    /// Bytes per second, such as 50MB/s or 20MiB/s; or max.
    #[arg(long, default_value = "max", value_parser = rate)]
    pub(crate) rate: Rate,
    /// Maximum bytes of an append, in whole lines; a longer line is an append of its own.
    #[arg(long, default_value = "64KiB", value_name = "SIZE", value_parser = size)]
    pub(crate) append: u64,
    /// Write for this long, starting over at FILE's end: 30s, 5m.
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub(crate) lasting: Option<Duration>,
    /// Measure when lines are visible in the tables of this pipeline, which must have a live run.
    #[arg(long, value_name = "PIPELINE.toml", value_hint = clap::ValueHint::FilePath)]
    pub(crate) watch: Option<PathBuf>,
    /// Give up if nothing more becomes visible for this long.
    #[arg(long, default_value = "60s", value_name = "TIME", value_parser = time, requires = "watch")]
    pub(crate) timeout: Duration,
    /// Write the latencies of each second, in microseconds, to a new file, as an HdrHistogram log.
    #[arg(long, value_name = "FILE", requires = "watch")]
    pub(crate) histogram: Option<PathBuf>,
    /// Print a JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How fast lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rate {
    /// As fast as the target takes them.
    Max,
    /// Bytes per second, at least one.
    BytesPerSecond(u64),
}

fn rate(text: &str) -> Result<Rate, String> {
    if text == "max" {
        return Ok(Rate::Max);
    }
    let bytes = text.strip_suffix("/s").and_then(config::read_size).filter(|bytes| *bytes > 0);
    bytes.map(Rate::BytesPerSecond).ok_or_else(|| "allowed is max, or a size per second: 50MB/s, 20MiB/s".to_owned())
}

pub(super) fn time(text: &str) -> Result<Duration, String> {
    let time = config::read_duration(text).filter(|time| !time.is_zero());
    time.ok_or_else(|| "allowed is a duration above zero in ms, s, m or h, such as 30s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (text, bytes) in [("50MB/s", 50_000_000), ("20MiB/s", 20 << 20), ("1.5 KiB/s", 1536), ("1/s", 1)] {
            assert_eq!(rate(text), Ok(Rate::BytesPerSecond(bytes)), "{text}");
        }
        assert_eq!(rate("max"), Ok(Rate::Max));
        for text in ["", "0/s", "50MB", "50mb/s", "fast", "-1MB/s", "50MB/m", "MB/s"] {
            assert!(rate(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn times_are_above_zero() {
        assert_eq!(time("1.5s"), Ok(Duration::from_millis(1500)));
        for text in ["0s", "5", "", "-1s"] {
            assert!(time(text).is_err(), "{text:?}");
        }
    }
}
