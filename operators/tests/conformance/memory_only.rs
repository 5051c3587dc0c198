//! What only a sink whose commits take rows away can show.

use crate::harness::{Foreign, Sink, World, sum_by_table};
use crate::kinds::{Records, standing};
use crate::memory::MemorySink;

type Groups = MemorySink<Records, 2>;

#[tokio::test]
async fn a_commit_that_masks_a_row_follows_a_foreign_append() {
    let world = World::<Groups>::new();
    let mut run = world.start().await.unwrap();
    world.land(&mut run, 0, 10, &[1, 2]).await.unwrap();
    world.sink.foreign(0, Foreign::Append(&[100])).await;
    let masking = world.sink.stage_masking(0, 3, 1);
    let counted = sum_by_table::<Groups>(0, &[3]);

    run.0[0].committer.land(&standing(20), vec![masking], &counted).await.unwrap();

    assert_eq!((world.rows(0).await, world.position(0).await), (vec![2, 3, 100], Some(20)));
}

#[tokio::test]
async fn a_commit_that_masks_a_row_conflicts_with_who_took_it_first() {
    let world = World::<Groups>::new();
    let mut run = world.start().await.unwrap();
    world.land(&mut run, 0, 10, &[1, 2]).await.unwrap();
    world.sink.foreign(0, Foreign::Delete).await;
    let masking = world.sink.stage_masking(0, 3, 1);
    let counted = sum_by_table::<Groups>(0, &[3]);

    let refused = run.0[0].committer.land(&standing(20), vec![masking], &counted).await.unwrap_err();

    let text = lakefront_operators::error::chain(&refused);
    assert!(text.contains("another writer has taken row 1: start again"), "{text}");
    assert_eq!((world.rows(0).await, world.position(0).await), (vec![], Some(10)), "nothing of it has landed");
}

#[tokio::test]
async fn rows_of_a_table_of_another_group_are_a_bug() {
    let world = World::<Groups>::new();
    let mut run = world.start().await.unwrap();
    let counted = sum_by_table::<Groups>(1, &[3]);
    let stop = run.0[0].committer.land(&standing(10), Vec::new(), &counted).await.unwrap_err();
    assert!(stop.to_string().contains("which is of another group"), "{stop}");
}
