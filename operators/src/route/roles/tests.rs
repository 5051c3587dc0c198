//! Which table a line goes to, by its role, its server, and the default.

use super::*;
use crate::format::logs::rows::RowBuilder;
use crate::format::logs::settings::{Format, Roles, UnknownKeys};
use Destination::{Primary, Reject, Replica};

const ORDERS: &str = "/SUBSCRIPTIONS/0F/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.DBFORPOSTGRESQL/FLEXIBLESERVERS/ORDERS";

fn map(rows_version: u32, primary: &[&str], replica: &[&str], default: Destination) -> RoleMap {
    let list = |roles: &[&str]| roles.iter().map(|role| (*role).to_owned()).collect();
    let servers = [("Known".to_owned(), Primary), ("orders".to_owned(), Replica), ("bad".to_owned(), Reject)].into();
    let sources = [("**/replica-*/**".to_owned(), Replica)].into();
    let roles = Roles { primary: list(primary), replica: list(replica), default, servers, sources };
    let settings = RowSettings { rows_version, roles, ..RowSettings::example() };
    RoleMap::new(&settings).expect("good globs")
}

#[test]
fn the_role_decides_then_the_server_then_the_default() {
    let map = map(2, &["Primary", "None"], &["*"], Reject);
    for (role, server, resource, expected) in [
        ("Primary", "", "", Ok(Primary)),
        ("PRIMARY", "orders", "", Ok(Primary)),
        ("none", "", "", Ok(Primary)),
        ("AsyncReplica", "known", "", Ok(Replica)),
        ("Master", "known", "", Ok(Replica)),
        ("", "KNOWN", ORDERS, Ok(Primary)),
        ("", "unknown", ORDERS, Ok(Replica)),
        ("", "", &ORDERS.to_lowercase(), Ok(Replica)),
        ("", "bad", ORDERS, Err(Reason::NoRole)),
        ("", "unknown", "/ORDERS", Err(Reason::NoRole)),
        ("", "", "/PROVIDERS/MICROSOFT.DBFORPOSTGRESQL/ORDERS", Err(Reason::NoRole)),
    ] {
        assert_eq!(map.destination(role, server, resource), expected, "{role} {server} {resource}");
    }
}

#[test]
fn without_a_wildcard_an_unnamed_role_is_judged_as_none() {
    let strict = map(2, &["Primary"], &["Replica"], Reject);
    assert_eq!(strict.destination("Odd", "", ""), Err(Reason::UnknownRole));
    assert_eq!(strict.destination("Odd", "known", ""), Ok(Primary));
    assert_eq!(strict.destination("Odd", "", ORDERS), Ok(Replica));
    assert_eq!(map(2, &["Primary"], &["Replica"], Primary).destination("Odd", "", ""), Ok(Primary));
}

#[test]
fn version_1_compares_with_case() {
    let map = map(1, &["Primary"], &["Replica"], Primary);
    assert_eq!(map.destination("primary", "Known", ""), Err(Reason::UnknownRole));
    assert_eq!(map.destination("", "orders", ""), Ok(Replica));
    assert_eq!(map.destination("", "ORDERS", ORDERS), Ok(Primary), "by the default");
}

#[test]
fn roles_that_nothing_names_are_counted() {
    let map = map(2, &["Primary"], &["*"], Reject);
    let mut rows = RowBuilder::new(Format::Azure, UnknownKeys::Drop);
    for role in ["Master", "primary", "AsyncReplica", "geoasyncreplica", "None", "Master", ""] {
        rows.push(format!(r#"{{"ReplicaRole":"{role}"}}"#).as_bytes(), 0).expect("a good line");
    }
    let rows = rows.finish("blob");
    assert_eq!(map.unnamed("a.json", &rows).into_iter().collect::<Vec<_>>(), [("Master", 2), ("None", 1)]);
    assert!(map.unnamed("a/replica-1/b.json", &rows).is_empty(), "the file decides");
}
