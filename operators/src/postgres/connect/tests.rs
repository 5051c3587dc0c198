use super::super::fake;
use super::*;

async fn refusal(location: &Location) -> StoreError {
    connect(location, "tests").await.expect_err("no session")
}

#[tokio::test]
async fn a_session_is_prepared() {
    let location = fake::server(vec![fake::welcome(), fake::done(), fake::row(Some("prepared"))]);
    connect(&location, "tests").await.expect("a session");
}

#[tokio::test]
async fn a_session_that_forgets_is_refused() {
    for kept in [None, Some("")] {
        let location = fake::server(vec![fake::welcome(), fake::done(), fake::row(kept)]);
        let error = refusal(&location).await;
        assert!(!error.is_transient());
        assert!(chain(&error).contains("a pooler in front of the server"), "{}", chain(&error));
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_without_it() {
    let location = fake::server(vec![fake::fatal("28P01", "password authentication failed for user \"alice\"", &[])]);
    let error = refusal(&location).await;
    assert!(!error.is_transient());
    assert_eq!(
        chain(&error),
        format!(
            "could not connect to postgresql://127.0.0.1:{}/shop: password authentication failed for user \"alice\" \
             (SQLSTATE 28P01); check the user \"alice\" and its password: it is the one in the URL or in a setting",
            location.port
        )
    );
    assert!(!format!("{error:?}{location:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_server_that_is_away_may_come_back() {
    let nobody = refusal(&fake::nobody()).await;
    assert!(nobody.is_transient());
    assert!(chain(&nobody).contains("nothing listens on port"), "{}", chain(&nobody));

    let stopping = fake::fatal("57P01", "terminating connection due to administrator command", &[]);
    assert!(refusal(&fake::server(vec![stopping])).await.is_transient());
    assert!(refusal(&fake::server(vec![fake::welcome()])).await.is_transient());
}

#[tokio::test]
async fn a_missing_socket_is_told() {
    let location = Location::parse("postgres://alice@/shop?host=/nowhere&sslmode=require").expect("a location");
    let error = refusal(&location).await;
    assert!(error.is_transient());
    assert!(chain(&error).contains("there is no socket .s.PGSQL.5432 in /nowhere"), "{}", chain(&error));
}
