use super::super::{connect, fake};
use super::*;

#[test]
fn the_search_path_comes_first_and_the_mark_last() {
    let batch = batch();
    assert!(batch.starts_with("SET search_path = pg_catalog, pg_temp; "), "{batch}");
    assert!(batch.ends_with("; SELECT set_config('lakefront.session', 'prepared', false)"), "{batch}");
    assert!(batch.contains("(VALUES ('client_encoding', 'UTF8'), ('TimeZone', 'UTC'), "), "{batch}");
}

/// A server that lets somebody in and says that it is process `pid`.
fn process(pid: &str, more: &[Vec<u8>]) -> Location {
    let answers = [fake::welcome(), fake::done(), fake::row(Some("prepared")), fake::row(Some(pid))];
    fake::server([&answers[..], more].concat())
}

/// What is said of a session with process `before`, then `after`, while another has `others`.
async fn refusal(before: &str, others: &str, after: &str) -> Option<StoreError> {
    let location = process(before, &[fake::row(Some(after))]);
    let client = connect(&location, "tests").await.expect("a session");
    let location = process(others, &[fake::done()]);
    let other = connect(&location, "tests").await.expect("another");
    refuse_pooler(&location, &client, &other).await.err()
}

#[tokio::test]
async fn a_process_of_its_own_is_no_pooler() {
    assert!(refusal("7", "8", "7").await.is_none());
}

#[tokio::test]
async fn a_process_that_is_shared_is_a_poolers() {
    for (before, others, after) in [("7", "7", "8"), ("7", "7", "7"), ("7", "8", "9")] {
        let error = refusal(before, others, after).await.expect("a refusal");
        assert!(!error.is_transient());
    }
}
