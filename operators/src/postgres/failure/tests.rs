use tokio_postgres::NoTls;

use super::super::fake;
use super::*;

/// What a client is told by a server that answers with this.
async fn error(sqlstate: &str, text: &str, fields: &[(char, &str)]) -> Error {
    let location = fake::server(vec![fake::fatal(sqlstate, text, fields)]);
    let mut config = tokio_postgres::Config::new();
    config.host(&location.host).port(location.port).user(&location.user);
    match config.connect(NoTls).await {
        Ok(_) => panic!("the server has refused"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn lost_connections_and_conflicts_pass() {
    let passing = ["08006", "57P01", "57P02", "57P03", "53300", "55P03", "55006", "40001", "40P01", "57014", "25P03"];
    for sqlstate in passing {
        assert!(failed("read", error(sqlstate, "no", &[]).await).is_transient(), "{sqlstate}");
    }
    let definite = ["28P01", "28000", "3D000", "42501", "42P01", "53100", "57P04", "22P02", "23505", "XX000"];
    for sqlstate in definite {
        assert!(!failed("read", error(sqlstate, "no", &[]).await).is_transient(), "{sqlstate}");
    }
}

#[tokio::test]
async fn conflicts_are_known() {
    for (sqlstate, expected) in [("40001", true), ("40P01", true), ("40002", false), ("55P03", false)] {
        assert_eq!(is_serialization(&error(sqlstate, "no", &[]).await), expected, "{sqlstate}");
    }
}

#[tokio::test]
async fn an_answer_says_whether_a_commit_has_happened() {
    for (sqlstate, expected) in [("40001", true), ("P0001", true), ("57P01", true), ("08P01", false), ("40003", false)]
    {
        assert_eq!(is_undone(&error(sqlstate, "no", &[]).await), expected, "{sqlstate}");
    }
}

#[tokio::test]
async fn an_error_is_told_with_detail_and_hint() {
    let error = error("55006", "slot is active", &[('D', "PID 7 has it."), ('H', "End it.")]).await;
    let error = failed("read the slot \"main\"", error);
    assert_eq!(
        chain(&error),
        "could not read the slot \"main\": slot is active; detail: PID 7 has it; hint: End it (SQLSTATE 55006)"
    );
    assert_eq!(sqlstate(&error), Some("55006"));
}

#[tokio::test]
async fn a_prepared_statement_that_is_lost_is_a_poolers_doing() {
    for sqlstate in ["26000", "42P05"] {
        let error = failed("read", error(sqlstate, "prepared statement \"s1\" does not exist", &[]).await);
        assert!(!error.is_transient());
        assert!(chain(&error).contains("a pooler in front of the server"), "{}", chain(&error));
    }
}

#[tokio::test]
async fn values_of_rows_are_not_told() {
    let fields = [('D', "Key (name)=(hunter2) already exists."), ('W', "COPY t, line 1: \"hunter2\"")];
    let error_of_key = failed("write", error("23505", "duplicate key violates \"t_pkey\"", &fields).await);
    assert_eq!(chain(&error_of_key), "could not write: duplicate key violates \"t_pkey\" (SQLSTATE 23505)");
    assert!(!format!("{error_of_key:?}").contains("hunter2"));

    let text = "invalid input syntax for type integer: \"hunter \"2\"\"";
    let error = failed("write", error("22P02", text, &fields).await);
    assert_eq!(chain(&error), "could not write: invalid input syntax for type integer: \"…\" (SQLSTATE 22P02)");
}

#[test]
fn what_no_server_said_has_no_sqlstate() {
    assert_eq!(sqlstate(&StoreError::definite("read", "no")), None);
}

#[test]
fn quoted_texts_are_left_out() {
    assert_eq!(without_quoted("division by zero"), "division by zero");
    assert_eq!(without_quoted("wert \u{bb}a\u{ab} ist falsch"), "wert \"…\" ist falsch");
    assert_eq!(without_quoted("a lone \" stays"), "a lone \" stays");
}
