//! `lakefront status`: where the tables stand, and how far behind the source they are. It only
//! reads, and claims nothing.
//!
//! A live run is asked too, if its file says where it listens (`running`), but the tables decide.

mod running;

use lakefront_operators::protocol::document::Process;
use lakefront_operators::protocol::names::RunId;
use lakefront_operators::run::fatal::StopRequest;
use lakefront_operators::shown::one_line;
use serde_json::{Map, Value, json};

use self::running::Running;
use crate::cli::StatusArgs;
use crate::moment::rfc3339;
use crate::pipeline::{Look, Opened, TableLook};
use crate::report::{print, print_json};
use crate::{pipeline, runtime};

/// Prints the status of a pipeline.
pub(crate) fn status(args: &StatusArgs) -> anyhow::Result<()> {
    let pipeline = pipeline::described(pipeline::load(&args.file)?).open(StopRequest::default())?;
    let look = async { tokio::join!(pipeline.look(args.files), running::ask(pipeline.common(), pipeline.source())) };
    let (looked, running) = runtime::tokio()?.block_on(look);
    let mut looked = looked?;
    let running = match claimed(&looked.tables) {
        Some((run, _)) => running.beside(run.0),
        None => running,
    };
    looked.tables.iter_mut().for_each(|table| correct(table, running.drained(&table.role)));
    match args.json {
        true => print_json(&to_json(&*pipeline, &looked, &running)),
        false => print(text(&*pipeline, &looked, &running)),
    }
}

/// Subtracts from the lag what is empty for the table: the run knows that the table is drained up
/// to `drained`, though its transaction has not moved there yet.
fn correct(table: &mut TableLook, drained: Option<u64>) {
    let position = table.held.map(|held| held.position.0);
    let empty = drained.zip(position).map_or(0, |(drained, position)| drained.saturating_sub(position));
    table.lag = table.lag.map(|lag| lag.saturating_sub(empty));
}

/// The newest run that has claimed a table, and its process.
fn claimed(tables: &[TableLook]) -> Option<(RunId, Option<&Process>)> {
    let claims = tables.iter().filter_map(|table| Some((table.held?.run, table.process.as_ref())));
    claims.max_by_key(|(run, _)| *run)
}

fn to_json(pipeline: &dyn Opened, looked: &Look, running: &Running) -> Value {
    let mut by_role = Map::new();
    for table in &looked.tables {
        let mut status = json!({
            "table": table.name,
            "position": table.held.map(|held| held.position),
            "run": table.held.map(|held| held.run),
            "offsets": table.offsets,
            "lag": table.lag,
        });
        status.as_object_mut().expect("it is one").extend(table.more.clone());
        by_role.insert(table.role.clone(), status);
    }
    let claimed = claimed(&looked.tables).map(|(run, process)| {
        let process = process.map(|at| json!({"host": at.host, "pid": at.pid, "since": rfc3339(at.since_ms)}));
        json!({"run": run, "process": process})
    });
    let mut json = json!({
        "pipeline": pipeline.common().pipeline,
        "source": pipeline.source(),
        "claimed": claimed,
        "unit": pipeline.outline().unit.as_str(),
        "tables": by_role,
        "unfinished": looked.unfinished,
    });
    json.as_object_mut().expect("it is one").extend(looked.more.clone());
    if pipeline.common().http.is_some() {
        json["running"] = running.json();
    }
    json
}

fn text(pipeline: &dyn Opened, looked: &Look, running: &Running) -> String {
    let unit = pipeline.outline().unit.as_str();
    let mut text = format!("pipeline {} reads {}\n", pipeline.common().pipeline, one_line(pipeline.source()));
    if let Some((run, Some(Process { host, pid, since_ms }))) = claimed(&looked.tables) {
        let (host, since) = (one_line(host), rfc3339(*since_ms));
        text.push_str(&format!("  claimed by run {run}: process {pid} on {host}, at {since}\n"));
    }
    text.push_str(&running.text());
    for TableLook { role, name, held, lag, details, .. } in &looked.tables {
        let name = one_line(name);
        let lag = lag.map_or_else(|| "nobody knows how far".to_owned(), |lag| format!("{lag} {unit}"));
        match held {
            None => text.push_str(&format!("  {role:<8} {name}: no position yet, {lag} behind\n")),
            Some(held) => {
                let at = format!("position {} (run {})", held.position, held.run);
                text.push_str(&format!("  {role:<8} {name}: {at}, {lag} behind\n{details}"));
            }
        }
    }
    text + &looked.notes
}
