//! The contract of every sink, as stories: what a run may rely on when it claims tables and commits
//! cuts.
//!
//! A sink joins by implementing [`harness::Sink`] and adding a line to [`conformance`]; the stories
//! are in [`suite`]. They drive the protocol's real code over the sink's real tables, and check the
//! result as a reader would. The sink also says of which kind of source they are told
//! ([`kinds`]).

#![allow(clippy::unwrap_used, reason = "tests may")]

mod azure;
mod azure_only;
mod delta;
mod delta_only;
mod delta_types;
mod ducklake;
mod ducklake_foreign;
mod ducklake_group;
mod ducklake_only;
mod ducklake_partitions;
mod early;
mod faults;
mod harness;
mod joining;
mod kinds;
mod lake;
mod lossy;
mod memory;
mod memory_only;
mod s3;
mod s3_only;
mod suite;
mod upsert;
mod upsert_flow;
mod upsert_readers;

#[path = "../../../tests/support"]
mod support {
    #![allow(dead_code, reason = "other tests use the rest")]

    pub(crate) mod azurite;
    pub(crate) mod blobs;
    pub(crate) mod bucket;
    pub(crate) mod duck;
    pub(crate) mod gateway;
    pub(crate) mod npm;
    pub(crate) mod postgres;
    pub(crate) mod proxy;
    pub(crate) mod random;
    pub(crate) mod venv;
    pub(crate) mod wait;

    pub(crate) use random::Random;
}

/// Runs every story over a sink, each in a world of its own; if a condition is given, only where it
/// holds.
macro_rules! conformance {
    ($name:ident: $sink:ty) => {
        conformance!($name: $sink, if true);
    };
    ($name:ident: $sink:ty, if $is_here:expr) => {
        conformance!(@stories $name, $sink, $is_here, [a_run_that_looks_meets_others_and_goes_on]);
    };
    // Where the commits of others are no versions of a group, a look cannot meet them: a table that
    // does not fit any more is found by the next commit with rows.
    ($name:ident of own versions: $sink:ty) => {
        conformance!(@stories $name, $sink, true, []);
    };
    (@stories $name:ident, $sink:ty, $is_here:expr, [$($of_shared_versions:ident)*]) => {
        conformance!(@modules $name, $sink, $is_here,
            claim: [
                the_first_claim_resolves_the_start_once_and_copies_it
                a_run_that_died_between_two_tables_leaves_one_start_for_all
                a_later_claim_keeps_position_and_settings
                a_table_without_position_beside_tables_with_rows_refuses
                a_table_without_position_before_a_table_with_rows_refuses
                another_pipeline_over_the_same_source_refuses
                another_pipeline_over_another_source_is_welcome
                another_source_refuses
                another_role_refuses
                a_state_file_ahead_of_the_tables_refuses
                a_state_file_behind_the_tables_says_nothing
                tables_of_two_histories_refuse
                a_claim_that_has_landed_nothing_gives_way
                a_claim_that_gives_way_is_asked_where_to_begin
                a_run_that_died_while_tables_began_anew_leaves_one_start_for_all
                what_lands_while_a_claim_is_to_give_way_keeps_its_source
                a_start_that_is_refused_writes_nothing
                rows_of_others_are_adopted_if_that_is_asked_for
                rows_of_another_pipeline_are_no_strangers
            ],
            commits: [
                rows_and_position_appear_together
                a_cut_that_is_held_already_is_refused_as_a_bug
                an_empty_cut_moves_the_position_alone
                a_lost_reply_lands_the_cut_once
                a_lost_reply_claims_once
                a_store_that_stays_silent_stops_the_run
                what_an_unknown_outcome_left_behind_is_found_by_the_next_run
                files_staged_too_long_ago_are_refused
                a_table_deleted_under_the_run_takes_no_rows
                a_table_replaced_under_the_run_takes_no_rows
            ],
            rivals: [
                the_newer_run_wins_and_the_older_is_fenced
                a_rival_is_met_at_whatever_position_it_stands
                a_rival_that_claims_in_between_fences_the_claim
                two_claims_of_one_number_are_told_apart
                a_dead_claim_of_the_same_number_is_not_taken_for_ours
                an_offsets_file_under_our_name_that_is_not_ours_fences
                a_zombie_commit_after_a_claim_is_seen_by_nobody
                a_zombie_commit_before_a_claim_counts
                a_zombie_offsets_file_harms_nobody
                an_older_run_that_tidies_does_not_stop_the_newer_claim
                a_run_without_work_notices_that_it_was_taken_over
                a_table_that_is_looked_at_is_not_read_again_after_a_long_silence
                $($of_shared_versions)*
            ],
            foreign: [
                a_foreign_append_is_stepped_over
                a_compaction_is_stepped_over
                a_foreign_delete_is_stepped_over
                a_foreign_column_is_stepped_over
                a_foreign_change_that_does_not_fit_stops_the_run
                a_quiet_table_is_read_again_and_takes_the_cut
                a_table_whose_log_was_cleaned_takes_the_cut_behind_its_head
                a_quiet_table_that_another_run_claimed_fences
                a_clock_that_is_set_back_hides_no_silence
                a_commit_that_had_landed_before_a_long_silence_counts
            ],
            offsets: [
                a_crash_before_the_commit_leaves_an_orphan_that_is_tidied_later
                many_partitions_survive_many_commits
                the_totals_are_those_of_the_rows
                the_totals_tell_what_has_left_and_what_was_before
                a_commit_writes_what_changed
                what_has_left_the_offsets_stays_away_and_goes_on_counting
                a_file_that_takes_the_name_of_one_that_left_begins_anew
                only_files_below_the_commit_are_tidied_and_never_the_base
                a_missing_offsets_file_refuses
                an_offsets_file_without_its_totals_refuses
                an_offsets_file_of_another_format_refuses
            ],
        );
    };
    ($name:ident of files: $sink:ty) => {
        conformance!($name of files: $sink, if true);
    };
    ($name:ident of files: $sink:ty, if $is_here:expr) => {
        conformance!(@modules $name, $sink, $is_here,
            claim: [
                a_narrower_or_wider_glob_is_the_same_source
                a_start_over_files_that_are_read_writes_nothing
                sources_that_overlap_refuse_however_they_are_spelled
                a_file_that_another_pipeline_reads_refuses
                of_two_overlapping_pipelines_that_claim_at_once_one_sees_the_other
            ],
            offsets: [
                a_damaged_offsets_file_refuses
            ],
        );
    };
    (@modules $name:ident, $sink:ty, $is_here:expr, $($module:ident: [$($story:ident)*],)*) => {
        mod $name {
            $(mod $module {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $story() {
                    if !$is_here {
                        return;
                    }
                    crate::suite::$module::$story(crate::harness::World::<$sink>::new()).await;
                })*
            })*
        }
    };
}

conformance!(on_memory: crate::memory::MemorySink<lakefront_operators::format::logs::lines::Lines, 1>);
conformance!(on_memory_for_files of files: crate::memory::MemorySink<lakefront_operators::format::logs::lines::Lines, 1>);
conformance!(on_memory_in_groups: crate::memory::MemorySink<crate::kinds::Records, 2>);
conformance!(on_delta: crate::delta::DeltaSink<crate::lake::Disk>);
conformance!(on_delta_for_files of files: crate::delta::DeltaSink<crate::lake::Disk>);
conformance!(on_delta_on_azure: crate::delta::DeltaSink<crate::azure::Azure>);
conformance!(on_delta_on_azure_for_files of files: crate::delta::DeltaSink<crate::azure::Azure>);
conformance!(on_delta_on_s3: crate::delta::DeltaSink<crate::s3::S3>, if crate::s3::is_here());
conformance!(on_delta_on_s3_for_files of files: crate::delta::DeltaSink<crate::s3::S3>, if crate::s3::is_here());
conformance!(on_delta_by_key: crate::upsert::UpsertSink<crate::lake::Disk>);
conformance!(on_delta_by_key_on_azure: crate::upsert::UpsertSink<crate::azure::Azure>);
conformance!(on_ducklake of own versions: crate::ducklake::DuckLakeSink);
