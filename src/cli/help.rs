//! The long help of each command: what it does, when to use it, examples, and exit codes. Lines are
//! broken by hand, at 100 characters.

pub(super) const LAKEFRONT: &str = "\
Lands PostgreSQL logs, hot tables and changes in a lakehouse, exactly once.

A pipeline is a TOML file. With topology = \"pg_logs\", lines of logs land in Delta tables; with
\"pg_flush\", rows of hot tables move to a DuckLake, and are gone from PostgreSQL once they are there;
with \"pg_changes\", Delta tables follow PostgreSQL's, by Debezium's events on Kafka. Everything lands once, however often the run is stopped, killed or started again.";

pub(super) const LAKEFRONT_AFTER: &str = "\
First steps:
  lakefront init shop                       ask a few questions, write shop/lakefront.toml
  cd shop && lakefront doctor lakefront.toml
                                            check this machine, the file, the source and the lake
  lakefront run lakefront.toml              land what is there
  lakefront prove lakefront.toml            check that every line is there, once

Exit codes:
  0  done, or stopped cleanly
  1  prove found a difference; changes met lines that are no events
  2  wrong usage or configuration
  3  stopped on a fatal error: nothing that was committed is touched; start again once the cause
     is fixed
  4  another run has the pipeline

Environment:
  LAKEFRONT_LOG  what is logged to standard error: error, warn, info, debug, or by module

`lakefront help COMMAND` says more about each command.";

pub(super) const RUN: &str = "\
Runs a pipeline: to the end of what is there (mode backfill), or until it is stopped (tail).

It claims the tables, continues where they stand, and commits every few seconds or megabytes; with
pg_flush, once for each flush. The tables are created on first use. If it is killed at any instant,
the next run continues without a gap or a duplicate. SIGTERM or Ctrl-C commits the open cut, or
makes a last flush, and ends the run; a second one ends it at once, safely. A table that holds rows
which no pipeline has landed is refused, unless --adopt is given. That is needed only once; from
then on `prove` counts such rows separately.";

pub(super) const RUN_AFTER: &str = "\
Examples:
  lakefront run lakefront.toml
  lakefront run lakefront.toml --mode tail            follow the source, whatever the file says
  lakefront run flush.toml --once                     flush what waits, then end
  lakefront run lakefront.toml --json | jq .tables    how many rows each table got

Exit codes: 0 done or stopped cleanly, 2 the file is wrong, 3 fatal error, 4 another run has the
pipeline.";

pub(super) const VALIDATE: &str = "\
Checks a pipeline file, and names every wrong field together with what is allowed there.

With --connect it also opens the source and the tables, and reports which credential was used,
what it may do, how many files, hot tables or topics there are, and whether each table fits. Nothing is
written either way. `doctor` checks more: the machine, the disks, the clock, and whether a run is
alive.";

pub(super) const VALIDATE_AFTER: &str = "\
Examples:
  lakefront validate lakefront.toml                   before a commit, or in CI
  lakefront validate lakefront.toml --connect         before the first run

Exit codes: 0 good, 2 the file is wrong, 3 the source or a table is out of reach or does not fit.";

pub(super) const STATUS: &str = "\
Shows where each table of a pipeline stands, and what of the source it does not hold yet: of logs by
file or blob; of hot tables up to which sequence, and when they were last flushed; of changes by partition. It only
reads and claims nothing, so it can be used during a run.";

pub(super) const STATUS_AFTER: &str = "\
Examples:
  lakefront status lakefront.toml
  lakefront status lakefront.toml --json | jq '.tables[].lag'

Exit codes: 0 shown, 2 the file is wrong, 3 the source or a table is out of reach.";

pub(super) const PROVE: &str = "\
Proves that the tables hold every row of the source, once.

It pins each table's version and reads the table as any reader would. It reads the source again up
to where the table stands, on a second, plain path that shares no parser with `run`. Both are
compared with the totals that every commit carries. The first row that differs is named by its
_source and _offset: missing, doubled, altered or unexpected. Rows whose source is gone, or that
landed under other settings, are reported as unverifiable, but still compared with the totals. It
also reports what has not landed yet, and rows in the tables that the pipeline has not landed.

Rows of pg_flush are gone from their source. The lake is compared with what each flush has noted of
its rows; what others have inserted, deleted or changed there is counted apart.

Tables of pg_changes are compared with PostgreSQL itself, row by row, at a place in its log; the
file needs [postgres]. A row that differs is looked at again once the lake has passed that place,
for which it has --timeout.

Nothing is written, and a run may be alive. Only of PostgreSQL's tables, TRUNCATE and ALTER TABLE
wait while they are read.";

pub(super) const PROVE_AFTER: &str = "\
Examples:
  lakefront prove lakefront.toml                      after a backfill, or every night
  lakefront prove lakefront.toml --json | jq .ok      for a script
  lakefront prove lakefront.toml --strict             also fail if something cannot be verified

Exit codes: 0 nothing differs, 1 something differs (with --strict, also if something cannot be
verified or no row has landed), 2 the file is wrong, 3 no proof was possible: the source or a table
is out of reach, or not there.";

pub(super) const INIT: &str = "\
Writes DIR/lakefront.toml: a pipeline file for logs, with comments, after five questions or from
flags. (For hot tables, begin with the repository's examples/pg_flush.toml.)

On a terminal it asks, and Enter takes a question's default. A question that a flag answers is
skipped; with --yes, or without a terminal, all are. Relative paths are relative to DIR, so run the
commands there. Secrets are neither asked for nor written: the file names environment variables.
An existing file is left alone, unless --force is given.";

pub(super) const INIT_AFTER: &str = "\
Examples:
  lakefront init                                      ask, write ./lakefront.toml
  lakefront init shop --yes --source 'file:/var/log/postgresql/*.json' --format jsonlog --mode tail
  lakefront init shop --yes --lake az://lake/logs --account shoplogs \\
      --source https://shoplogs.blob.core.windows.net/insights-logs-postgresqllogs/
  lakefront init shop --yes --lake s3://lake/logs

Exit codes: 0 written, 2 an answer is wrong or the file exists, 3 it could not be written.";

pub(super) const GENERATE: &str = "\
Writes log lines like those of real servers: a primary and two replicas, connections, slow
statements over several lines, errors with details, checkpoints, vacuums, replication, audits,
and text with several bytes per character.

The same flags make the same bytes on every machine. At the end it reports what it wrote, by table
and by reason of rejects, so that the landed rows can be checked against it. With --rejects, some
lines are bad, in nine ways: torn, `[227B blob data]`, plain text, a quoted line, a wrong type, a
number too large, a malformed or ambiguous time, another encoding, no role.

With --hot it writes rows into the hot tables of a pg_flush pipeline, as an ingester does: each
ledger is a transaction over all tables, the watermark's table is written last, some rows come late,
and some ledgers come again. It goes on until it is stopped, and then says what it wrote into each
table. The values follow from types and names of columns, and from the seed.";

pub(super) const GENERATE_AFTER: &str = "\
Examples:
  lakefront generate --size 1GiB --rejects 0.001 --seed 7 logs/big.json
  lakefront generate --size 10MiB --files 24 logs     a day, as Azure lays it out:
                                                      logs/y=2026/m=11/d=21/h=07/m=00/PT1H.json
  lakefront generate --size 5MiB - | head -1
  lakefront generate --hot flush.toml --for 5m --rate 20000

Exit codes: 0 written, or stopped; 2 a file exists already; 3 it could not be written.";

pub(super) const REPLAY: &str = "\
Writes the lines of FILE to a file or an append blob that grows as a server's log does: whole
lines, at a pace, each append durable before the next. A target that already has content is never
written to. Ctrl-C ends it early, with the report.

With --watch it measures a live run. An append is visible once all its lines are rows in the tables
as a reader of the Delta logs sees them; it looks every 5 ms (every 50 ms in Azure and S3). The time
counts from the moment at which the append is durable. The report says how late the writer was, so
that a slow writer makes no run look good. CPU seconds cover the whole replay, peak memory the run
since its start; both are reported only for a run on this machine.";

pub(super) const REPLAY_AFTER: &str = "\
Examples:
  lakefront replay big.json --to logs/ --rate 20MB/s --for 60s --watch lakefront.toml
  lakefront replay big.json --to az://logs/y=2026/m=11/d=21/h=07/m=00/PT1H.json --append 4MiB
  lakefront replay big.json --to logs/ --rate 50MB/s --watch lakefront.toml --json \\
      --histogram tail.hlog | jq .watch.latency_seconds

Exit codes: 0 written, and visible if watched; 2 the target has content, or is not what
the pipeline reads; 3 it could not be written, or did not become visible in time.";

pub(super) const CHANGES: &str = "\
Reads events that Debezium wrote about PostgreSQL, and prints each as one JSON object: operation
(insert, update, delete, truncate or read), table, data, before, timestamp, metadata, primary_key.
Where the events carry their schema, dates, decimals, bits and the like are shown as PostgreSQL
shows them, with every digit; without one, a value stays what it is.

FILE has one record a line: an object with topic, key and value; what kcat -J writes; or a value
alone. The envelope may be there or not (ExtractNewRecordState). What is known to change no row is
skipped, counted, and said on standard error: tombstones, boundaries of transactions, heartbeats,
messages. Any other line that is no event becomes {\"error\": ..., \"line\": its number}.

With --topic it reads a topic of Kafka, to the end that each partition has at the start, and puts
topic, partition and offset in place of the line's number. Offsets of groups are neither read nor
written. Nothing lands anywhere.";

pub(super) const CHANGES_AFTER: &str = "\
Examples:
  lakefront changes events.ndjson
  kcat -b localhost:9092 -C -e -J -t cdc.public.orders | lakefront changes -
  lakefront changes events.ndjson | jq 'select(.operation == \"delete\") | .primary_key'
  lakefront changes --brokers localhost:9092 --topic 'cdc.public.*' --follow

Exit codes: 0 all lines or records are known, 1 some are no events, 2 wrong usage, or FILE is not
there, 3 the file or the topic could not be read.";

#[cfg(feature = "pg_changes")]
pub(super) const SCHEMA: &str = "\
Decides about a table of pg_changes that stands still because a column has another type in
PostgreSQL now. The next events of the table say which type that is.

All rows of the table are written anew, in one commit, with the values that they have in the new
type. If some value is none of the new type, nothing is changed: --aside then keeps all of them in
a column of their own. The run may go on meanwhile; it goes on with the table by itself.";

#[cfg(feature = "pg_changes")]
pub(super) const SCHEMA_AFTER: &str = "\
Examples:
  lakefront schema accept shop.toml public.orders
  lakefront schema accept shop.toml public.orders --aside

Exit codes: 0 done, 2 the file is wrong, or the pipeline has no such table, 3 nothing waits, a value
is none of the new type, or Kafka or the lake is out of reach.";

#[cfg(feature = "pg_changes")]
pub(super) const DEBEZIUM: &str = "\
Brings PostgreSQL's changes to Kafka: builds the configuration of Debezium's connector from the
[postgres] and [connect] sections of a pipeline file, and has a worker of Kafka Connect run it.

The configuration makes events that a pipeline can land without loss: exact decimals and intervals,
truncates, the bounds of transactions, and a heartbeat that moves the replication slot on when no
table changes. [connect.settings] adds to it, or overrides it.

No password is printed, also where Connect repeats one. With --secret-ref, or connect.secret_ref,
the password never leaves the worker that runs the connector.";

#[cfg(feature = "pg_changes")]
pub(super) const DEBEZIUM_AFTER: &str = "\
Examples:
  lakefront debezium config shop.toml                 look at it, or give it to whoever registers it
  lakefront debezium validate shop.toml && lakefront debezium register shop.toml
  lakefront debezium status shop.toml --json | jq .tasks
  lakefront debezium help register

Exit codes: 0 done, 2 the file is wrong, or Connect refuses the configuration, 3 Connect is out of
reach, or the connector or one of its tasks has failed.";

#[cfg(feature = "pg_changes")]
pub(super) const DEBEZIUM_CONFIG_AFTER: &str = "\
Examples:
  lakefront debezium config shop.toml > connector.json
  lakefront debezium config shop.toml --secret-ref env:PGPASSWORD
  lakefront debezium config shop.toml --secret-ref file:/etc/kafka-connect/shop.properties:password

Exit codes: 0 printed, 2 the file is wrong.";

#[cfg(feature = "pg_changes")]
pub(super) const DEBEZIUM_VALIDATE_AFTER: &str = "\
Examples:
  lakefront debezium validate shop.toml

Exit codes: 0 good, 2 the file is wrong, or Connect refuses the configuration, 3 Connect is out of
reach, or lacks Debezium.";

#[cfg(feature = "pg_changes")]
pub(super) const DEBEZIUM_REGISTER_AFTER: &str = "\
A connector that is registered as the file says is left as it is, so it can be repeated.

Examples:
  lakefront debezium register shop.toml
  lakefront debezium register shop.toml --secret-ref env:PGPASSWORD --timeout 5m

Exit codes: 0 its tasks run, 2 the file is wrong, or Connect refuses the configuration, 3 Connect is
out of reach, or a task has failed: the first line of its trace is told.";

#[cfg(feature = "pg_changes")]
pub(super) const DEBEZIUM_STATUS_AFTER: &str = "\
Examples:
  lakefront debezium status shop.toml
  lakefront debezium status shop.toml --json | jq -e '.tasks | all(.state == \"RUNNING\")'

Exit codes: 0 shown, 2 the file is wrong, 3 Connect is out of reach, or has no such connector.";

#[cfg(feature = "pg_changes")]
pub(super) const DEBEZIUM_PAUSE_AFTER: &str = "\
PostgreSQL keeps its log for the slot until it is resumed.

Examples:
  lakefront debezium pause shop.toml

Exit codes: 0 it is paused, 2 the file is wrong, 3 Connect is out of reach, or has no such
connector.";

#[cfg(feature = "pg_changes")]
pub(super) const DEBEZIUM_RESUME_AFTER: &str = "\
Examples:
  lakefront debezium resume shop.toml

Exit codes: 0 its tasks run, 2 the file is wrong, 3 Connect is out of reach, has no such connector,
or a task has failed.";

#[cfg(feature = "pg_changes")]
pub(super) const DEBEZIUM_RESTART_AFTER: &str = "\
Examples:
  lakefront debezium restart shop.toml                once the cause of a failure is gone
  lakefront debezium restart shop.toml --only-failed

Exit codes: 0 its tasks run, 2 the file is wrong, 3 Connect is out of reach, has no such connector,
or a task has failed.";

#[cfg(feature = "pg_changes")]
pub(super) const DEBEZIUM_DELETE_AFTER: &str = "\
It says how to drop the replication slot, which keeps PostgreSQL's log as long as it is there.

Examples:
  lakefront debezium delete shop.toml
  lakefront debezium delete shop.toml --yes --offsets     to begin anew, with a snapshot

Exit codes: 0 deleted, or not meant, 2 the file is wrong, or nobody could be asked, 3 Connect is out
of reach, or has no such connector.";

pub(super) const COMPLETIONS: &str = "\
Prints a script that completes commands and flags when Tab is pressed.";

pub(super) const COMPLETIONS_AFTER: &str = "\
Examples:
  lakefront completions bash > ~/.local/share/bash-completion/completions/lakefront
  lakefront completions zsh > ~/.zfunc/_lakefront     with ~/.zfunc in fpath
  lakefront completions fish > ~/.config/fish/completions/lakefront.fish";

pub(super) const DOCTOR: &str = "\
Looks for what keeps a pipeline from running, or may stop it later, and says what to do. It checks
the machine, the pipeline file, the disks, the state file, the source, credentials, clocks, the
lake, its tables, and whether a run is alive. Without FILE it checks only the machine.

Nothing is claimed and nothing is left behind, so it can be used during a run. On a local lake's
disk it creates a file to see whether it can, and removes it. Each finding is ok, a warning (it
works, but know this) or a problem (a run would fail).";

pub(super) const DOCTOR_AFTER: &str = "\
Examples:
  lakefront doctor lakefront.toml                     before the first run; when something is odd
  lakefront doctor lakefront.toml --json | jq '.checks[] | select(.level != \"ok\")'

Exit codes: 0 no problem (there may be warnings), 2 the file is wrong, 3 problems were found.";
