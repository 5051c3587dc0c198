//! Bad lines. Real servers, disks or pipelines have produced each kind, and each is rejected for
//! exactly one reason.

use lakefront_operators::format::logs::record::Reason;

use super::random::Random;
use crate::cli::FormatArg;

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Its end is missing: the writer died.
    Torn,
    /// PostgreSQL, or a carrier of its lines, gave up on a value: `[227B blob data]`.
    BlobData,
    /// It came from standard error, not from the logger.
    PlainText,
    /// The whole line was made a JSON string.
    Quoted,
    /// A string in place of a number.
    WrongType,
    /// A number beyond int64.
    TooLarge,
    /// A malformed time, or one without a certain zone.
    Time,
    /// Text in another encoding.
    Latin1,
    /// It does not name a role.
    NoRole,
}

/// The faults. A `jsonlog` line has no role, so the last one is for `azure` only.
const FAULTS: [Fault; 9] = [
    Fault::Torn,
    Fault::BlobData,
    Fault::PlainText,
    Fault::Quoted,
    Fault::WrongType,
    Fault::TooLarge,
    Fault::Time,
    Fault::Latin1,
    Fault::NoRole,
];

impl Fault {
    pub(super) fn any(format: FormatArg, random: &mut Random) -> Fault {
        match format {
            FormatArg::Azure => *random.pick(&FAULTS),
            FormatArg::Jsonlog => *random.pick(&FAULTS[..FAULTS.len() - 1]),
        }
    }

    /// Why such a line is rejected, with the defaults of a pipeline file.
    pub(super) fn reason(self) -> Reason {
        match self {
            Fault::Torn | Fault::BlobData | Fault::PlainText => Reason::InvalidJson,
            Fault::Quoted => Reason::NotAnObject,
            Fault::WrongType => Reason::WrongType,
            Fault::TooLarge => Reason::IntegerOutOfRange,
            Fault::Time => Reason::MalformedTime,
            Fault::Latin1 => Reason::InvalidUtf8,
            Fault::NoRole => Reason::NoRole,
        }
    }
}

/// `line`, a good one of `format` without its newline, with `fault` put into it.
pub(super) fn spoiled(line: &str, format: FormatArg, fault: Fault, random: &mut Random) -> Vec<u8> {
    let (pid, message, time) = match format {
        FormatArg::Azure => ("\"processId\": ", "\"message\": \"", "\"time\": \""),
        FormatArg::Jsonlog => ("\"pid\":", "\"message\":\"", "\"timestamp\":\""),
    };
    let number = || line[behind(line, pid)..].split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    let text = match fault {
        Fault::Torn => {
            // Between two characters, because half of one would be another fault.
            let at = random.between(line.len() as u64 / 3, line.len() as u64 * 9 / 10);
            line[..line.floor_char_boundary(usize::try_from(at).expect("it is below a length"))].to_owned()
        }
        Fault::BlobData => {
            let from = match format {
                FormatArg::Azure => behind(line, "\"properties\": "),
                FormatArg::Jsonlog => behind(line, message) - 1,
            };
            let length = match format {
                FormatArg::Azure => line[from..].find(", \"resourceId\""),
                // Inside a string, a backslash precedes every quote, so this one ends the string.
                FormatArg::Jsonlog => line[from..].find("\",\"").map(|quote| quote + 1),
            };
            let length = length.expect("another key follows");
            format!("{}[{length}B blob data]{}", &line[..from], &line[from + length..])
        }
        Fault::PlainText => format!("[{}] LOG:  could not write to log file: No space left on device", number()),
        Fault::Quoted => serde_json::Value::from(line).to_string(),
        Fault::WrongType => replaced(line, pid, number(), &format!("\"#{}\"", number())),
        Fault::TooLarge => replaced(line, pid, number(), &format!("92233720368547{}", 75_808 + random.between(0, 9))),
        Fault::Time => {
            let wrong = ["yesterday", "2026-11-21 07:00:01 IST", "2026-11-21T07:00:01.467", "2026-13-01T07:00:01Z"];
            let old = line[behind(line, time)..].split('"').next().unwrap_or_default();
            replaced(line, time, old, random.word(&wrong))
        }
        Fault::Latin1 => {
            let at = behind(line, message);
            return [&line.as_bytes()[..at], b"ung\xfcltige Gr\xf6\xdfe ", &line.as_bytes()[at..]].concat();
        }
        Fault::NoRole => {
            let from = line.find(", \"ReplicaRole\": ").expect("an envelope names the role");
            let end = from + 1 + line[from + 1..].find(", ").expect("it is not the last key");
            format!("{}{}", &line[..from], &line[end..])
        }
    };
    text.into_bytes()
}

/// Where the value of `key` begins.
fn behind(line: &str, key: &str) -> usize {
    line.find(key).expect("every line has this key") + key.len()
}

/// `line` with `new` in place of the `old` that follows `key`.
fn replaced(line: &str, key: &str, old: &str, new: &str) -> String {
    let at = behind(line, key);
    format!("{}{new}{}", &line[..at], &line[at + old.len()..])
}

#[cfg(test)]
mod tests;
