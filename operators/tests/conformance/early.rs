//! `stage` closes a file before the frontier passes its cut if the source says that the table's
//! rows have all come.

use std::sync::mpsc;
use std::time::Duration;

use lakefront_operators::position::Position;
use lakefront_operators::protocol::names::TableId;
use lakefront_operators::routed::Routed;
use lakefront_operators::run::clock::Stopwatch;
use lakefront_operators::sink::delta::{DeltaStage, TableSpec};
use lakefront_operators::sink::files::Place;
use lakefront_operators::stage::{Stages, stage};
use timely::dataflow::InputHandle;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{Concat, Input, Inspect};

#[allow(dead_code, unreachable_pub)]
#[path = "../examples/shared.rs"]
mod shared;

/// How long a file may take that nothing keeps.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many files came before the frontier moved, and how many after.
fn staged(is_last: bool) -> (usize, usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let spec = TableSpec {
        place: Place::Disk(folder.path().to_owned()),
        name: "events".to_owned(),
        schema: shared::batch(&[]).schema(),
        partition: None,
    };
    timely::execute_directly(move |worker| {
        let env = shared::env();
        let (sender, files) = mpsc::channel();
        let mut held = InputHandle::new();
        worker.dataflow::<Position, _, _>(|scope| {
            let others = scope.input_from(&mut held);
            let rows = shared::rows(scope, &[0, 70, 200], &env).map(move |routed| Routed { is_last, ..routed });
            let files = DeltaStage::new(spec, env.clock.clone());
            let stages: Stages = [(TableId(0), Box::new(files) as _)].into();
            let staged = stage(rows.concat(others), "events", stages, Position(0), &env);
            staged.inspect(move |staged| sender.send(staged.file.rows).expect("the test waits for it"));
        });
        // Rows are read, written and made durable meanwhile, if ever.
        let most = if is_last { PATIENCE } else { Duration::from_millis(300) };
        let (begun, mut early) = (Stopwatch::start(), 0);
        while early == 0 && begun.elapsed() < most {
            worker.step();
            early += files.try_iter().count();
        }
        held.close();
        let (begun, mut late) = (Stopwatch::start(), 0);
        while early + late == 0 && begun.elapsed() < PATIENCE {
            worker.step();
            late += files.try_iter().count();
        }
        drop(folder);
        (early, late)
    })
}

#[test]
fn a_file_is_closed_behind_the_last_rows_of_its_table() {
    assert_eq!(staged(true), (1, 0));
    assert_eq!(staged(false), (0, 1), "other rows may come, so the cut must be passed");
}
