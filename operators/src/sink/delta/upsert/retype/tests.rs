//! A table whose columns get other types, and whose rows are changed before and behind that.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};

use super::*;
use crate::run::clock::SystemClock;
use crate::sink::delta::pinned::Pinned;
use crate::sink::delta::upsert::tests::{Change, Folded, Operation, Order, Row, World, changes};
use crate::sink::delta::upsert::{Changes, Operation::*};

fn change(id: i64, amount: f64, operation: Operation, at: u64) -> Change {
    let row = Row { id, part: Some("p".to_owned()), amount: Some(amount), ..Row::default() };
    Change { row, operation, unavailable: Default::default(), order: Order { offset: at, ..Order::default() }, at }
}

fn retypes(id: DataType) -> Vec<Retype> {
    let older = |of: &str| Some(Older { of: of.to_owned(), before: 77 });
    let columns = ["id", "amount", "amount__v1"];
    vec![
        Retype {
            column: "id".to_owned(),
            from: Some(DataType::Int64),
            to: id,
            values: Values::Converted,
            older: older("long"),
        },
        Retype {
            column: "amount".to_owned(),
            from: Some(DataType::Float64),
            to: DataType::Utf8,
            values: Values::aside("amount", columns[..2].iter().copied()),
            older: older("double"),
        },
    ]
}

/// By id, what a row has in the new column and in the one that was set aside.
async fn rows(world: &World) -> BTreeMap<String, (Option<String>, Option<f64>)> {
    let pinned = Pinned::newest(world.place(), "").await.unwrap().unwrap();
    let mut batches = pinned.rows(|_| true).await.unwrap();
    let mut rows = BTreeMap::new();
    while let Some(batch) = batches.recv().await {
        let batch = batch.unwrap();
        let texts = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
        let (ids, new, old) = (texts("id"), texts("amount"), batch.column_by_name("amount__v1").unwrap());
        let old = old.as_primitive::<Float64Type>();
        for row in 0..batch.num_rows() {
            let new = new.is_valid(row).then(|| new.value(row).to_owned());
            rows.insert(ids.value(row).to_owned(), (new, old.is_valid(row).then(|| old.value(row))));
        }
    }
    rows
}

/// The update of a row by its new key.
fn updated(world: &World, id: &str, amount: &str) -> Changes {
    let plain = changes(&[change(0, 0.0, Update, 9)]);
    let columns = world.spec.table.schema.fields().iter().map(|field| match field.name().as_str() {
        "id" => Arc::new(StringArray::from(vec![id])) as ArrayRef,
        "amount" => Arc::new(StringArray::from(vec![amount])),
        "part" => Arc::new(StringArray::from(vec!["p"])),
        _ => arrow_array::new_null_array(field.data_type(), 1),
    });
    let rows = RecordBatch::try_new(world.spec.columns(), columns.collect()).unwrap();
    Changes { rows, ..plain }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_what_they_were_in_the_new_types_and_change_by_the_new_key() {
    let mut world = World::new(1, true).await;
    world.land(&[change(1, 1.5, Insert, 1), change(2, 2.5, Insert, 2), change(3, 3.5, Insert, 3)]).await;
    world.land(&[change(3, 4.5, Update, 4), change(2, 0.0, Delete, 5)]).await;
    let done = retype(&world.spec.table, &retypes(DataType::Utf8), Arc::new(SystemClock)).await.unwrap();
    assert_eq!(done, Retyped { version: Version(3), rows: 2, files: 1 });
    let row = |new: Option<&str>, old| (new.map(str::to_owned), old);
    let wanted = BTreeMap::from([("1".to_owned(), row(None, Some(1.5))), ("3".to_owned(), row(None, Some(4.5)))]);
    assert_eq!(rows(&world).await, wanted);
    let mut folded = Folded::default();
    (1..=3).for_each(|version| folded.follow(world.folder.path(), &world.actions(version)));

    let there = snapshot::read(world.place(), "").await.unwrap().unwrap();
    assert_eq!(there.older_types()["id"], [Older { of: "long".to_owned(), before: 77 }]);
    let obstacle = world.spec.check(&there).expect_err("it has other columns");
    assert!(obstacle.contains("\"id\""), "{obstacle}");

    world.spec.table.schema = schema(&world.spec.table.schema, &retypes(DataType::Utf8));
    world.version = done.version;
    world.open_table().await;
    world.open_shards(1).await;
    let update = updated(&world, "3", "four and a half");
    let cut = world.staged(vec![update]).await;
    assert_eq!((cut.counts().updated, cut.counts().inserted), (1, 0));
    world.commit(cut).await;
    let wanted = [("1".to_owned(), row(None, Some(1.5))), ("3".to_owned(), row(Some("four and a half"), None))];
    assert_eq!(rows(&world).await, wanted.into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_the_new_type_lacks_changes_nothing() {
    let mut world = World::new(1, false).await;
    world.land(&[change(1 << 40, 1.5, Insert, 1)]).await;
    let refused = |retypes: Vec<Retype>| {
        let table = world.spec.table.clone();
        async move { retype(&table, &retypes, Arc::new(SystemClock)).await.expect_err("refused") }
    };
    for (retypes, word) in [
        (retypes(DataType::Int32), "column \"id\" is Int64, and has values that Int32"),
        (vec![Retype { column: "nr".to_owned(), ..retypes(DataType::Utf8).remove(0) }], "another type by now"),
        (
            vec![Retype { values: Values::Converted, ..retypes(DataType::Utf8).remove(1) }],
            "nothing says what its values are as Utf8",
        ),
        (
            vec![Retype { values: Values::Aside("NOTE".to_owned()), ..retypes(DataType::Utf8).remove(1) }],
            "has a column \"NOTE\" already",
        ),
    ] {
        let error = crate::error::chain(&refused(retypes).await);
        assert!(error.contains(word), "{error}");
    }
    assert_eq!(world.newest().await, Version(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_column_has_a_value_in_all_rows_and_that_is_an_update_of_each() {
    for feed in [true, false] {
        let mut world = World::new(1, feed).await;
        world.land(&[change(1, 1.5, Insert, 1), change(2, 2.5, Insert, 2)]).await;
        world.land(&[change(2, 0.0, Delete, 3)]).await;
        let value = Arc::new(StringArray::from(vec!["open"])) as ArrayRef;
        let added = Added { value: "\"open\"".to_owned(), before: 50 };
        let values = Values::Filled(value, added.clone());
        let retype = Retype { column: "state".to_owned(), from: None, to: DataType::Utf8, values, older: None };
        let done =
            super::retype(&world.spec.table, std::slice::from_ref(&retype), Arc::new(SystemClock)).await.unwrap();
        assert_eq!(done, Retyped { version: Version(3), rows: 1, files: 1 });
        let pinned = Pinned::newest(world.place(), "").await.unwrap().unwrap();
        let batch = pinned.rows(|_| true).await.unwrap().recv().await.unwrap().unwrap();
        assert_eq!(
            batch.column_by_name("state").unwrap().as_string::<i32>().iter().collect::<Vec<_>>(),
            [Some("open")]
        );
        let actions = world.actions(3);
        assert_eq!(actions.iter().filter(|action| action.get("cdc").is_some()).count(), if feed { 2 } else { 0 });
        assert!(actions.iter().filter_map(|action| action.get("remove")).all(|remove| remove["dataChange"] == true));
        let mut folded = Folded::default();
        if feed {
            (1..=3).for_each(|version| folded.follow(world.folder.path(), &world.actions(version)));
            assert_eq!(folded.rows(), world.rows().await);
        }
        let there = snapshot::read(world.place(), "").await.unwrap().unwrap();
        assert_eq!(there.added_columns(), BTreeMap::from([("state".to_owned(), added)]));
        let again = super::retype(&world.spec.table, &[retype], Arc::new(SystemClock)).await.expect_err("refused");
        assert!(again.to_string().contains("has a column \"state\" already"), "{again}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_anew_is_in_files_of_a_bounded_size() {
    let mut world = World::new(1, true).await;
    for id in 1..=3 {
        world.land(&[change(id, 1.5, Insert, id as u64)]).await;
    }
    let there = snapshot::read(world.place(), "").await.unwrap().unwrap();
    let mut work = Work::of(&world.spec.table, &there, &retypes(DataType::Utf8)).unwrap();
    work.file_bytes = 1;
    let rewritten = work.rows(Arc::new(SystemClock)).await.unwrap();
    assert_eq!((rewritten.rows, rewritten.data.len(), rewritten.removed.len()), (3, 3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_moves_its_position_meanwhile_costs_no_second_writing() {
    let mut world = World::new(1, true).await;
    world.land(&[change(1, 1.5, Insert, 1)]).await;
    let moved = [serde_json::json!({"commitInfo": {}}), serde_json::json!({"txn": {"appId": "a", "version": 1}})];
    assert_eq!(world.foreign(&moved).await, Version(2));
    let content = b"{\"commitInfo\":{}}\n".to_vec();
    let committed = commit(world.place(), Version(2), content.clone(), &SystemClock).await.unwrap();
    assert_eq!(committed, Some(Version(3)));
    let again = commit(world.place(), Version(3), content.clone(), &SystemClock).await.unwrap();
    assert_eq!(again, Some(Version(3)), "the reply was lost");
    world.replace(&[], false).await;
    let other = b"{\"commitInfo\":{\"operation\":\"x\"}}\n".to_vec();
    assert_eq!(commit(world.place(), Version(4), other, &SystemClock).await.unwrap(), None, "files have moved");
}

#[test]
fn values_are_set_aside_under_a_free_name() {
    let taken = ["a", "A__V1", "a__v2"];
    assert_eq!(Values::aside("a", taken.iter().copied()), Values::Aside("a__v3".to_owned()));
}
