//! The arguments of `lakefront replay`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::tools::size;
use crate::config;

#[derive(Args)]
pub(crate) struct ReplayArgs {
    /// The lines, a file.
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// The file or blob that grows: a path, az://container/blob or https://…; in a folder it is called as FILE.
    #[arg(long, value_name = "PLACE")]
    pub(crate) to: String,
    /// Bytes a second, such as 50MB/s or 20MiB/s; or max.
    #[arg(long, default_value = "max", value_parser = rate)]
    pub(crate) rate: Rate,
    /// Bytes of one append, at most: whole lines, and a longer line alone.
    #[arg(long, default_value = "64KiB", value_name = "SIZE", value_parser = size)]
    pub(crate) append: u64,
    /// Begin anew at FILE's end, for so long: 30s, 5m.
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub(crate) lasting: Option<Duration>,
    /// Measure when lines are visible in the tables of this pipeline, whose run is alive.
    #[arg(long, value_name = "PIPELINE.toml", value_hint = clap::ValueHint::FilePath)]
    pub(crate) watch: Option<PathBuf>,
    /// Nothing more becomes visible for so long: give up.
    #[arg(long, default_value = "60s", value_name = "TIME", value_parser = time, requires = "watch")]
    pub(crate) timeout: Duration,
    /// Write the latencies of each second, in microseconds, as an HdrHistogram log: a new file.
    #[arg(long, value_name = "FILE", requires = "watch")]
    pub(crate) histogram: Option<PathBuf>,
    /// Print a JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How fast lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rate {
    /// As fast as they are taken.
    Max,
    /// So many bytes a second, at least one.
    BytesPerSecond(u64),
}

fn rate(text: &str) -> Result<Rate, String> {
    if text == "max" {
        return Ok(Rate::Max);
    }
    let bytes = text.strip_suffix("/s").and_then(config::read_size).filter(|bytes| *bytes > 0);
    bytes.map(Rate::BytesPerSecond).ok_or_else(|| "allowed is max, or a size a second: 50MB/s, 20MiB/s".to_owned())
}

fn time(text: &str) -> Result<Duration, String> {
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
