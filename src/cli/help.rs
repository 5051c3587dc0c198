//! The long help of each command: what it does, when one wants it, examples, and how it ends. Lines are broken by hand, at 100
//! characters.

pub(super) const LAKEFRONT: &str = "\
Lands PostgreSQL logs in Delta tables, exactly once.

A pipeline is a TOML file: where the logs are, where the tables are, and how lines become rows.
Every line lands once, however often the run is stopped, killed or started again.";

pub(super) const LAKEFRONT_AFTER: &str = "\
First steps:
  lakefront init shop                       ask a few questions, write shop/lakefront.toml
  cd shop && lakefront doctor lakefront.toml
                                            check this machine, the file, the source and the lake
  lakefront run lakefront.toml              land what there is
  lakefront prove lakefront.toml            and know that every line is there, once

Exit codes:
  0  done, or stopped cleanly
  1  prove has found a difference
  2  wrong usage or configuration
  3  stopped on a fatal error: nothing that was committed is touched; start again once the cause
     is mended
  4  another run has the pipeline

Environment:
  LAKEFRONT_LOG  what is logged to standard error: error, warn, info, debug, or by module

`lakefront help COMMAND` says more about each command.";

pub(super) const RUN: &str = "\
Runs a pipeline: to the end of what is there (mode backfill), or until it is stopped (tail).

It claims the tables, goes on where they stand, and commits every few seconds or megabytes. The
tables are created on first use. Killed at any instant, it goes on without a gap or a duplicate.
SIGTERM or Ctrl-C closes the open cut, commits it and ends; a second one ends at once, safely.
A table that holds rows which no pipeline has landed is refused, unless --adopt says to land
beside them; that is said once, and `prove` tells such rows apart from then on.";

pub(super) const RUN_AFTER: &str = "\
Examples:
  lakefront run lakefront.toml
  lakefront run lakefront.toml --mode tail            follow the logs, whatever the file says
  lakefront run lakefront.toml --json | jq .tables    how many rows each table got

Exit codes: 0 done or stopped cleanly, 2 the file is wrong, 3 fatal error, 4 another run has the
pipeline.";

pub(super) const VALIDATE: &str = "\
Checks a pipeline file, and names every field that is wrong with what is allowed there.

With --connect it also opens the source and the tables: which credential was used, what it may
do, how many files there are, whether each table fits. Nothing is written either way. `doctor`
checks more: the machine, the disks, the clock, and whether a run is alive.";

pub(super) const VALIDATE_AFTER: &str = "\
Examples:
  lakefront validate lakefront.toml                   before a commit, or in CI
  lakefront validate lakefront.toml --connect         before the first run

Exit codes: 0 good, 2 the file is wrong, 3 the source or a table is out of reach or does not fit.";

pub(super) const STATUS: &str = "\
Shows where each table of a pipeline stands, by file or blob, and how many bytes of the source it
does not hold yet. It reads and claims nothing, so it may be asked beside a run.";

pub(super) const STATUS_AFTER: &str = "\
Examples:
  lakefront status lakefront.toml
  lakefront status lakefront.toml --json | jq '.tables[].lag_bytes'

Exit codes: 0 told, 2 the file is wrong, 3 the source or a table is out of reach.";

pub(super) const PROVE: &str = "\
Proves that the tables hold every row of the source, once.

It pins each table's version, reads the source again up to where the table stands, by a second and
plain path that shares no parser with the first, and the table as any reader would, and compares
both with the totals that every commit carries. The first row that differs is named by its _source
and _offset: missing, doubled, altered or unexpected. Rows whose source is gone, or that landed
under other settings, are told as unverifiable, and still compared with the totals. It says what
has not landed yet, and whose rows are in the tables beside the pipeline's. Nothing is written or
locked, and a run may be alive.";

pub(super) const PROVE_AFTER: &str = "\
Examples:
  lakefront prove lakefront.toml                      after a backfill, or every night
  lakefront prove lakefront.toml --json | jq .ok      for a script
  lakefront prove lakefront.toml --strict             what cannot be verified is a failure, too

Exit codes: 0 nothing differs, 1 something does (with --strict, or something cannot be verified), 2
the file is wrong, 3 it could not be proved: the source or a table is out of reach, or not there.";

pub(super) const INIT: &str = "\
Writes DIR/lakefront.toml: a pipeline file with comments, after five questions or from flags.

On a terminal it asks, each question with a default that Enter takes. What a flag says is not
asked; with --yes, or without a terminal, nothing is. Relative paths count from DIR, and so the
commands are to run there. Secrets are neither asked for nor written: the file names variables of
the environment. A file that is there already is left alone, unless --force.";

pub(super) const INIT_AFTER: &str = "\
Examples:
  lakefront init                                      ask, write ./lakefront.toml
  lakefront init shop --yes --source 'file:/var/log/postgresql/*.json' --format jsonlog --mode tail
  lakefront init shop --yes --lake az://lake/logs --account shoplogs \\
      --source https://shoplogs.blob.core.windows.net/insights-logs-postgresqllogs/

Exit codes: 0 written, 2 an answer is wrong or the file is there, 3 it could not be written.";

pub(super) const GENERATE: &str = "\
Writes log lines such as real servers write: a primary and two replicas, connections, slow
statements over several lines, errors with details, checkpoints, vacuums, replication, audits,
and text of several bytes a character.

The same flags make the same bytes on every machine. What it wrote is told at the end, table by
table and reject by reject, so that a landing can be checked against it. With --rejects, lines
are bad in nine ways: torn, `[227B blob data]`, plain text, a quoted line, a wrong type, a number too
large, a time without a certain zone, another encoding, no role.";

pub(super) const GENERATE_AFTER: &str = "\
Examples:
  lakefront generate --size 1GiB --rejects 0.001 --seed 7 logs/big.json
  lakefront generate --size 10MiB --files 24 logs     a day, as Azure lays it out:
                                                      logs/y=2026/m=11/d=21/h=07/m=00/PT1H.json
  lakefront generate --size 5MiB - | head -1

Exit codes: 0 written, 2 a file is there already, 3 it could not be written.";

pub(super) const REPLAY: &str = "\
Writes the lines of FILE to a file or an append blob that grows as a server's log does: whole
lines, at a pace, each append durable before the next. What is there already and has content is
never written to. Ctrl-C ends it early, with the report.

With --watch it measures a run that is alive. An append is visible once all its lines are rows in
the tables: what a reader of the Delta logs sees, looked for every 5 ms (every 50 ms in Azure). The
time counts from the moment at which the append is durable, so a slow writer makes no run look
good; how late the writer was is told. CPU seconds are those of the whole replay, the peak of
memory is the run's since its start; both are told of a run on this machine.";

pub(super) const REPLAY_AFTER: &str = "\
Examples:
  lakefront replay big.json --to logs/ --rate 20MB/s --for 60s --watch lakefront.toml
  lakefront replay big.json --to az://logs/y=2026/m=11/d=21/h=07/m=00/PT1H.json --append 4MiB
  lakefront replay big.json --to logs/ --rate 50MB/s --watch lakefront.toml --json \\
      --histogram tail.hlog | jq .watch.latency_seconds

Exit codes: 0 written, and visible if that is watched; 2 the target has content, or is not what
the pipeline reads; 3 it could not be written, or did not become visible in time.";

pub(super) const COMPLETIONS: &str = "\
Prints a script that completes commands and flags when Tab is pressed.";

pub(super) const COMPLETIONS_AFTER: &str = "\
Examples:
  lakefront completions bash > ~/.local/share/bash-completion/completions/lakefront
  lakefront completions zsh > ~/.zfunc/_lakefront     with ~/.zfunc in fpath
  lakefront completions fish > ~/.config/fish/completions/lakefront.fish";

pub(super) const DOCTOR: &str = "\
Looks for what keeps a pipeline from running, or will at the worst moment, and says what to do:
the machine, the pipeline file, the disks, the state file, the source, credentials, clocks, the
lake, its tables, and whether a run is alive. Without FILE it looks at the machine alone.

Nothing lasting is written and nothing is claimed, so it may be asked beside a run. On a local
lake's disk it makes a file to see that it may, and removes it. Each finding is ok, a warning
(it works, but know this) or a problem (a run would fail).";

pub(super) const DOCTOR_AFTER: &str = "\
Examples:
  lakefront doctor lakefront.toml                     before the first run; when something is odd
  lakefront doctor lakefront.toml --json | jq '.checks[] | select(.level != \"ok\")'

Exit codes: 0 no problem (warnings there may be), 2 the file is wrong, 3 problems were found.";
