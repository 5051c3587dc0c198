//! The text of a new `pg_logs` file. Lines such as `# key = value` show the default of a key, and
//! can be uncommented as they are.

use crate::cli::{FormatArg, ModeArg};
use crate::init::{Answers, is_azure, is_s3};

/// The column in which comments begin.
const COMMENTS: usize = 40;

/// The whole file.
pub(in crate::pipeline) fn render(answers: &Answers) -> String {
    [head(), top(answers), source(answers), lake(answers), tables(), roles(answers), rest(), http(answers)].join("\n")
}

fn head() -> String {
    "\
# Lands PostgreSQL logs in three Delta tables, exactly once. From this file's directory:
#
#     lakefront doctor lakefront.toml     # is everything in place?
#     lakefront run lakefront.toml        # lands the logs, each line once
#     lakefront status lakefront.toml     # where the tables stand
#
# Relative paths count from the directory that a command runs in. ${NAME} in a value is taken from
# the environment, and a message about a wrong value shows only the name. Keys and signatures are
# never shown. A line such as `# key = value` shows the default.
"
    .to_owned()
}

fn top(answers: &Answers) -> String {
    [
        line(
            &format!("pipeline = {}", quoted(&answers.pipeline)),
            "names the transactions in the tables: do not change it later",
        ),
        line("topology = \"pg_logs\"", ""),
        line("# workers = 2", "default: one per core"),
    ]
    .concat()
}

fn source(answers: &Answers) -> String {
    let azure = is_azure(&answers.source);
    let mode = match answers.mode {
        ModeArg::Backfill => ("backfill", "to the end of what is there; or \"tail\""),
        ModeArg::Tail => ("tail", "until it is stopped; or \"backfill\""),
    };
    let other = match answers.format {
        FormatArg::Azure => "resource logs of Azure Database for PostgreSQL; or \"jsonlog\"",
        FormatArg::Jsonlog => "PostgreSQL's own; or \"azure\"",
    };
    let what = match (azure, answers.format) {
        (true, _) => "a blob, a folder (recursive), or a glob",
        (false, FormatArg::Azure) => "a file, a directory (recursive), or a glob",
        (false, FormatArg::Jsonlog) => {
            "a file, a directory or a glob; in a server's log folder *.json, to skip its .log files"
        }
    };
    let state_file = format!("# state_file = {}", quoted(&format!("state/{}.offset.json", answers.pipeline)));
    let mut text = [
        "[source]\n".to_owned(),
        line(&format!("url    = {}", quoted(&answers.source)), what),
        line(&format!("format = \"{}\"", answers.format.word()), other),
        line(&format!("mode   = \"{}\"", mode.0), mode.1),
        line("# cold_start = \"earliest\"", "where the first run begins; or \"latest\": the last line end then"),
        line(&state_file, "for information; the tables are the checkpoint"),
        line(if azure { "# chunk = \"8 MiB\"" } else { "# chunk = \"4 MiB\"" }, "size of one read"),
        line("# poll = \"1s\"", "how often a tail looks for growth"),
        line("# max_line = \"16 MiB\"", "a longer line is a reject"),
        line("# unterminated = \"leave\"", "a backfill's last line without a newline; or \"land\""),
        line("# on_rewrite = \"stop\"", "a file that shrank or was rewritten; or \"restart\": land it as another"),
        line("# temporary = \"skip\"", "hidden and temporary files (.x, ~, .tmp, .part); or \"read\""),
    ]
    .concat();
    if azure {
        text.push_str(&line("# settle = \"48h\"", "a blob quiet for this long is finished"));
        text.push_str(&line("# in_flight = 4", "chunks in a worker's memory at once"));
        text.push('\n');
        text.push_str(&opener("source", answers));
        text.push_str(&line("# page = 5000", "blobs per listing request"));
        text.push_str(&line("# hour_folders = \"y=%Y/m=%m/d=%d/h=%H/\"", "where new blobs appear"));
        text.push_str(&line("# relist = \"5m\"", "how often all blobs are listed, not only those folders"));
        text.push_str("\n[source.retry]\n");
        text.push_str(&line("# timeout = \"30s\"", "longest wait for a byte"));
        text.push_str(&line("# first = \"200ms\"", "pauses between tries grow from here"));
        text.push_str(&line("# cap = \"30s\"", "to here"));
        text.push_str(&line("# max_time = \"5m\"", "time without progress until the run stops"));
    }
    text
}

/// The section for the credentials of an account; no secret stands in it.
fn opener(section: &str, answers: &Answers) -> String {
    let account =
        answers.account.as_ref().map_or(String::new(), |account| line(&format!("account = {}", quoted(account)), ""));
    format!(
        "\
# The credentials of the storage account are in the environment: AZURE_STORAGE_CONNECTION_STRING,
# AZURE_STORAGE_KEY with AZURE_STORAGE_ACCOUNT, AZURE_STORAGE_SAS_TOKEN; or AZURE_TENANT_ID,
# AZURE_CLIENT_ID and AZURE_CLIENT_SECRET. Without any, the machine's managed identity or the login
# of the Azure CLI is used. If your variables have other names, give them here, such as:
#     sas = \"${{SHOP_LOGS_SAS}}\"
[{section}.azure]
{account}"
    )
}

/// Says what opens a bucket.
const BUCKET: &str = "
# The region and the key are in the environment: AWS_REGION, AWS_ACCESS_KEY_ID and
# AWS_SECRET_ACCESS_KEY. Without a key, the role of the pod, the container or the machine is used. A
# store that is not AWS needs its endpoint, here or as AWS_ENDPOINT_URL. If your variables have other
# names, give them here, such as:
#     endpoint = \"https://s3.example.com\"
#     access_key_id = \"${SHOP_KEY_ID}\"
#     secret_access_key = \"${SHOP_KEY}\"
[lake.s3]
";

fn lake(answers: &Answers) -> String {
    let mut text = [
        "[lake]\n".to_owned(),
        line(&format!("root    = {}", quoted(&answers.lake)), "a table lies at <root>/<catalog>/<schema>/<name>"),
        line("catalog = \"lakehouse\"", ""),
        line("schema  = \"postgresql_logs\"", ""),
        line("# partition_by = \"none\"", "or \"day\" (column log_date)"),
    ]
    .concat();
    if is_s3(&answers.lake) {
        text.push_str(BUCKET);
    }
    if is_azure(&answers.lake) && !is_azure(&answers.source) {
        text.push('\n');
        text.push_str(&opener("lake", answers));
    }
    text
}

fn tables() -> String {
    [
        "[tables]\n".to_owned(),
        line("# primary = \"primary_postgresql_logs\"", ""),
        line("# replica = \"replica_postgresql_logs\"", ""),
        line("# rejects = \"rejected_postgresql_logs\"", "lines that cannot be rows, with their bytes and the reason"),
    ]
    .concat()
}

fn roles(answers: &Answers) -> String {
    match answers.format {
        FormatArg::Azure => [
            "[roles]\n".to_owned(),
            line("# primary = [\"Primary\", \"None\"]", "values of ReplicaRole; None: a standalone server"),
            line("# replica = [\"*\"]", "all others"),
            line("# default = \"reject\"", "lines without a role: \"primary\", \"replica\" or \"reject\""),
            "# By LogicalServerName or the server in resourceId, before the default:\n# [roles.servers]\n# \"orders-uat-pg\" = \"primary\"\n"
                .to_owned(),
        ]
        .concat(),
        FormatArg::Jsonlog => [
            "[roles]\n".to_owned(),
            line("default = \"primary\"", "files that match no pattern below; or \"replica\", \"reject\""),
            "\n[roles.sources]\n".to_owned(),
            line("\"**/*replica*\" = \"replica\"", "lines do not name their server, but file names do"),
            line("\"**/*primary*\" = \"primary\"", ""),
        ]
        .concat(),
    }
}

fn rest() -> String {
    [
        "[rows]\n".to_owned(),
        line("# unknown_keys = \"keep\"", "in the column _rest; or \"drop\", \"reject\""),
        line("# envelope = \"auto\"", "arrays, Event Hub batches and wrappers are opened; or \"none\""),
        line("# raw = \"64 KiB\"", "most that is kept of a rejected line; or \"line\": all of it, up to source.max_line"),
        "# The zone of times without one, or with an ambiguous one such as PST; or what single names mean:\n\
         #     zone = \"America/Los_Angeles\"\n#     zones = { IST = \"+05:30\" }\n"
            .to_owned(),
        "\n[commit]\n".to_owned(),
        line("# bytes = \"256 MiB\"", "a commit is made after this much input,"),
        line("# interval = \"10s\"", "or after this long"),
        "\n[limits]\n".to_owned(),
        line("# ahead = \"1 GiB\"", "read but not yet committed, at most"),
        line("# reject_ratio = 0.5", "of the last 10,000 lines; above it the run stops: the format is wrong"),
        "# The limit of all buffers fits workers, source.chunk and source.max_line. In a container, set\n# less than it has:\n\
         #     memory = \"1 GiB\"\n"
            .to_owned(),
        "\n[disk]\n".to_owned(),
        line("# min_free = \"2 GiB\"", "kept free where the run writes; checked before work is handed out and each second"),
        line("# on_low = \"stop\"", "if less is free; or \"pause\": a tail waits until there is room"),
        "# Old files in these folders are deleted first. Never name a folder that is still needed:\n\
         #     clean = [{ dir = \"/var/tmp/old\", older_than = \"1h\" }]\n"
            .to_owned(),
    ]
    .concat()
}

/// A tail is watched; a backfill ends soon, and shows a bar.
fn http(answers: &Answers) -> String {
    let what = "# To watch a run: a page at /, /metrics for Prometheus, /health for supervisors. Without an\n# address, nothing listens.\n";
    let reach = "whoever reaches this address may read: there is no login";
    let stall = "not ready: a frontier stalls for this long while input waits";
    match answers.mode {
        ModeArg::Tail => {
            [format!("{what}[http]\n"), line("listen = \"127.0.0.1:8089\"", reach), line("# stall = \"60s\"", stall)]
                .concat()
        }
        ModeArg::Backfill => {
            format!(
                "{what}# [http]\n#     listen = \"127.0.0.1:8089\"       # {reach}\n#     stall = \"60s\"                   # {stall}\n"
            )
        }
    }
}

/// A line with its comment.
fn line(text: &str, comment: &str) -> String {
    match comment {
        "" => format!("{text}\n"),
        // A long value pushes its comment to the right.
        comment => format!("{:<COMMENTS$}# {comment}\n", format!("{text} ")),
    }
}

/// A TOML string. The escapes of JSON are valid in TOML, except that TOML requires one more
/// character to be escaped.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

#[cfg(test)]
mod tests;
