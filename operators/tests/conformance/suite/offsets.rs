//! Offsets files: a position keeps its meaning through crashes, many partitions and many commits,
//! and takes little space.

use std::sync::Arc;

use lakefront_operators::error::chain;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::account::Account;
use lakefront_operators::protocol::document::Recorded;
use lakefront_operators::protocol::names::{Held, OffsetsName, RunId, TableId};
use lakefront_operators::protocol::offsets::PartitionId;
use lakefront_operators::protocol::offsets_files::OffsetsFiles;
use lakefront_operators::protocol::staged::Counted;
use lakefront_operators::protocol::standing::Standing;
use lakefront_operators::protocol::sums::{Bucket, Sum};

use serde_json::{Value, json};

use crate::faults::{Call, Fault};
use crate::harness::{PIPELINE, Run, Sink, World, refusal, sum_of};
use crate::kinds::{StoryKind, offsets, standing_at, with_retired};

pub(crate) async fn a_crash_before_the_commit_leaves_an_orphan_that_is_tidied_later<S: Sink>(world: Arc<World<S>>) {
    let mut first = world.start().await.unwrap();
    world.scripts[0].on(Call::Put, Fault::Crash);
    world.land(&mut first, 0, 10, &[1]).await.unwrap_err();
    assert_eq!(world.offsets_files(0).await, [(0, 1), (10, 1)]);

    let mut second = world.start().await.unwrap();
    assert_eq!(second.positions(), [0, 0, 0]);
    world.land(&mut second, 0, 10, &[1]).await.unwrap();

    assert_eq!(world.offsets_files(0).await, [(0, 2), (10, 1), (10, 2)], "the orphan's name is not ours");
    world.land(&mut second, 0, 20, &[2]).await.unwrap();
    assert_eq!(world.offsets_files(0).await, [(0, 2), (20, 2)]);
    assert_eq!(world.rows(0).await, [1, 2]);
}

/// The content of the offsets file that `table` refers to.
async fn recorded<S: Sink>(world: &World<S>, table: usize) -> Recorded<S::Kind> {
    let held = world.sink.held(table, PIPELINE).await.unwrap();
    let tables = world.sink.open(PIPELINE).await.unwrap();
    OffsetsFiles::read(&*tables[table], held).await.unwrap()
}

pub(crate) async fn the_totals_are_those_of_the_rows<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    for (at, rows) in [(10, &[1, 2][..]), (20, &[]), (30, &[3])] {
        world.land(&mut run, 0, at, rows).await.unwrap();
        assert_eq!(recorded(&world, 0).await.account.sum(), sum_of(&world.rows(0).await), "at {at}");
    }
    let mut next = world.start().await.unwrap();
    assert_eq!(recorded(&world, 0).await.account.sum(), sum_of(&[1, 2, 3]), "a claim keeps them");
    world.land(&mut next, 0, 40, &[4]).await.unwrap();
    assert_eq!(recorded(&world, 0).await.account.sum(), sum_of(&world.rows(0).await));
    assert_eq!(recorded(&world, 1).await.account.sum(), Sum::default());
}

pub(crate) async fn the_totals_tell_what_has_left_and_what_was_before<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    let counted = |name: &str, row| {
        let bucket = Bucket { partition: PartitionId::first(name), range: 0, part: 0 };
        [Counted { table: TableId(0), bucket, sum: sum_of(&[row]) }]
    };
    let account = async || {
        let Account { tables, from } = recorded(&world, 0).await.account;
        (tables.into_values().next().unwrap(), from)
    };
    let at = |entries: &[(&str, u64)], retired, since| {
        let standing = standing_at::<S::Kind>(with_retired(entries, retired, retired));
        Standing { since: Position(since), ..standing }
    };
    run.0[0].committer.land(&at(&[("a", 10)], 0, 0), Vec::new(), &counted("a", 1)).await.unwrap();
    run.0[0].committer.land(&at(&[("a", 10), ("b", 10)], 0, 0), Vec::new(), &counted("b", 2)).await.unwrap();
    run.0[0].committer.land(&at(&[("b", 20)], 10, 0), Vec::new(), &counted("b", 3)).await.unwrap();
    let (totals, from) = account().await;
    assert_eq!((totals.retired, totals.earlier), (sum_of(&[1]), Sum::default()));
    assert_eq!(totals.partitions[&PartitionId::first("b")].sum(), sum_of(&[2, 3]));
    assert_eq!(*from, offsets(&[("log", 0)]), "the settings are those of the beginning");

    // Another blob takes the name of the retired one; none of it has landed yet.
    run.0[0].committer.land(&at(&[("a", 0), ("b", 25)], 10, 0), Vec::new(), &[]).await.unwrap();
    assert_eq!(account().await.0, totals);

    let before = at(&[("a", 0), ("b", 25)], 10, 0).offsets;
    run.0[0].committer.land(&at(&[("b", 30)], 10, 30), Vec::new(), &counted("b", 4)).await.unwrap();
    let (totals, from) = account().await;
    assert_eq!((totals.retired, totals.earlier), (Sum::default(), sum_of(&[1, 2, 3])));
    assert_eq!(totals.partitions[&PartitionId::first("b")].sum(), sum_of(&[4]));
    assert_eq!(from, before, "other settings are in force from there on");
}

/// Many partitions, of which every commit moves a few: their names, and up to where they are read.
fn entries(commit: u64) -> Vec<(String, u64)> {
    let moves = |n: u64| (0..=commit).filter(|step| (step * 7) % 300 <= n && n < (step * 7) % 300 + 7).count() as u64;
    (0..300).map(|n| (format!("server/h={n:03}/PT1H.json"), 10 + moves(n))).collect()
}

fn moving<K: StoryKind>(commit: u64) -> Standing<K> {
    standing_at(with_retired(&borrowed(&entries(commit)), 0, 0))
}

fn borrowed(entries: &[(String, u64)]) -> Vec<(&str, u64)> {
    entries.iter().map(|(name, at)| (name.as_str(), *at)).collect()
}

pub(crate) async fn many_partitions_survive_many_commits<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    for commit in 0..60 {
        run.0[0].committer.land(&moving(commit), Vec::new(), &[]).await.unwrap();
        if commit % 20 == 19 {
            run = world.start().await.unwrap();
            assert_eq!(run.0[0].standing, moving(commit), "after commit {commit}");
        }
    }
}

pub(crate) async fn a_commit_writes_what_changed<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    let tables = world.sink.open(PIPELINE).await.unwrap();
    let length = async |position: Position| {
        let name = OffsetsName(Held { position, run: RunId(1) });
        tables[0].read_offsets(name).await.unwrap().unwrap().len()
    };
    // The first file after a claim of nothing holds all 300 entries, and is the base of the files
    // that follow.
    run.0[0].committer.land(&moving(0), Vec::new(), &[]).await.unwrap();
    let full = length(moving::<S::Kind>(0).position()).await;

    run.0[0].committer.land(&moving(1), Vec::new(), &[]).await.unwrap();

    let delta = length(moving::<S::Kind>(1).position()).await;
    assert!(delta * 10 < full, "{delta} bytes for 7 of 300 entries, which take {full}");
}

/// The same partitions, without those below `first`, which have left.
fn leaving<K: StoryKind>(commit: u64, first: usize) -> Standing<K> {
    let entries = entries(commit);
    let (gone, there) = entries.split_at(first);
    let retired = gone.iter().map(|(_, at)| at).sum();
    standing_at(with_retired(&borrowed(there), retired, 1_000 + commit))
}

/// Lands in every table: the next run refuses tables that do not all hold what has left.
async fn land_in_all<K: StoryKind>(run: &mut Run<K>, standing: &Standing<K>) {
    for claimed in &mut run.0 {
        claimed.committer.land(standing, Vec::new(), &[]).await.unwrap();
    }
}

pub(crate) async fn what_has_left_the_offsets_stays_away_and_goes_on_counting<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    let tables = world.sink.open(PIPELINE).await.unwrap();
    // A full file, then deltas to it in which more and more of its partitions are gone.
    for (commit, first) in [(0, 0), (1, 3), (2, 20), (3, 20)] {
        let standing = leaving::<S::Kind>(commit, first);
        assert_eq!(standing.position(), moving::<S::Kind>(commit).position());
        land_in_all(&mut run, &standing).await;
    }
    let name = OffsetsName(Held { position: moving::<S::Kind>(3).position(), run: RunId(1) });
    let content = String::from_utf8(tables[0].read_offsets(name).await.unwrap().unwrap()).unwrap();
    assert!(content.contains("\"gone\"") && !content.contains("\"base\": null"), "it is not a delta: {content}");

    let mut next = world.start().await.unwrap();

    assert_eq!(next.0[0].standing, leaving(3, 20), "base, delta and what is gone");
    // So many have left that the claim's file can no longer be the base.
    land_in_all(&mut next, &leaving(4, 250)).await;
    assert_eq!(world.start().await.unwrap().0[0].standing, leaving(4, 250));
}

pub(crate) async fn a_file_that_takes_the_name_of_one_that_left_begins_anew<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    land_in_all(&mut run, &leaving(0, 0)).await;
    land_in_all(&mut run, &leaving(1, 3)).await;
    let leaving: Standing<S::Kind> = leaving(2, 3);
    let (name, id) = (&entries(2)[0].0, PartitionId::first(&*entries(2)[0].0));
    let mut again = (*leaving.offsets).clone();
    again.partitions.insert(id.clone(), S::Kind::mark(name, 4, "later"));
    again.move_to(Position(again.position().0 + 4));
    let again = Standing { offsets: Arc::new(again), ..leaving };
    land_in_all(&mut run, &again).await;

    let next = world.start().await.unwrap();

    assert_eq!(next.0[0].standing, again, "its entry in the base is not the old one's");
    assert_eq!(next.0[0].standing.offsets.partitions[&id], S::Kind::mark(name, 4, "later"));
}

pub(crate) async fn only_files_below_the_commit_are_tidied_and_never_the_base<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    let tables = world.sink.open(PIPELINE).await.unwrap();
    let name = |position, run| OffsetsName(Held { position: Position(position), run: RunId(run) });
    // Left by runs that died: one below the position to be committed, one at it, one above.
    for (position, died) in [(5, 1), (10, 1), (15, 1)] {
        tables[0].write_offsets(name(position, died), b"{}").await.unwrap();
    }
    run = {
        drop(run);
        world.start().await.unwrap()
    };

    world.land(&mut run, 0, 10, &[1]).await.unwrap();

    assert_eq!(world.offsets_files(0).await, [(0, 2), (10, 1), (10, 2), (15, 1)]);
    assert_eq!(world.start().await.unwrap().positions(), [10, 0, 0]);
}

fn own(position: u64) -> OffsetsName {
    OffsetsName(Held { position: Position(position), run: RunId(1) })
}

pub(crate) async fn a_missing_offsets_file_refuses<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    world.land(&mut run, 0, 10, &[1]).await.unwrap();
    world.sink.tamper(0, PIPELINE, own(10), None);
    let text = refusal(world.start().await);
    assert!(text.contains("its offsets file 10.1.json is gone"), "{text}");
}

pub(crate) async fn a_damaged_offsets_file_refuses<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    world.land(&mut run, 0, 10, &[1]).await.unwrap();
    let tables = world.sink.open(PIPELINE).await.unwrap();
    let content = tables[0].read_offsets(own(10)).await.unwrap().unwrap();
    let damaged = String::from_utf8(content).unwrap().replace("\"offset\": 10", "\"offset\": 11");
    world.sink.tamper(0, PIPELINE, own(10), Some(damaged.as_bytes()));
    let text = refusal(world.start().await);
    assert!(text.contains("its offsets add up to 11"), "{text}");
}

/// Totals that are lost would otherwise count as no rows, and the next claim would record that.
pub(crate) async fn an_offsets_file_without_its_totals_refuses<S: Sink>(world: Arc<World<S>>) {
    type File = serde_json::Map<String, Value>;
    type Damage = (fn(&mut File), &'static str);
    fn of_others(file: &mut File) {
        let tables = file["tables"].as_object_mut().unwrap();
        *tables = std::mem::take(tables).into_iter().map(|(role, rows)| (format!("{role}-other"), rows)).collect();
    }
    async fn refuses<S: Sink>(world: &Arc<World<S>>, name: OffsetsName, damages: &[Damage]) {
        let tables = world.sink.open(PIPELINE).await.unwrap();
        let content = tables[0].read_offsets(name).await.unwrap().unwrap();
        for (damage, what) in damages {
            let mut file = serde_json::from_slice(&content).unwrap();
            damage(&mut file);
            world.sink.tamper(0, PIPELINE, name, Some(Value::Object(file).to_string().as_bytes()));
            let text = chain(&world.start().await.err().unwrap());
            assert!(text.contains(what), "{what}: {text}");
        }
        world.sink.tamper(0, PIPELINE, name, Some(&content));
    }
    let mut run = world.start().await.unwrap();
    world.land(&mut run, 0, 10, &[1]).await.unwrap();
    let delta = own(10);
    refuses(&world, delta, &[(of_others, "it and its base count the rows of different tables")]).await;
    world.start().await.unwrap();
    let full = OffsetsName(Held { run: RunId(2), ..delta.0 });
    let lacks = "it lacks the totals of its format";
    let damages: [Damage; 5] = [
        (|file| drop(file.remove("tables")), lacks),
        (|file| drop(file.insert("tables".to_owned(), json!({}))), lacks),
        (|file| drop(file.insert("format".to_owned(), 2.into())), lacks),
        (|file| drop(file.insert("totals".to_owned(), json!({}))), "missing field"),
        (of_others, "none of the group's tables"),
    ];
    refuses(&world, full, &damages).await;
}

pub(crate) async fn an_offsets_file_of_another_format_refuses<S: Sink>(world: Arc<World<S>>) {
    let mut run = world.start().await.unwrap();
    world.land(&mut run, 0, 10, &[1]).await.unwrap();
    for (format, what) in [(1, "of a build that kept no totals"), (4, "this binary knows 3: upgrade")] {
        let other = format!("{{\"format\": {format}}}");
        world.sink.tamper(0, PIPELINE, own(10), Some(other.as_bytes()));
        let text = chain(&world.start().await.err().unwrap());
        assert!(text.contains(what), "{text}");
    }
}
