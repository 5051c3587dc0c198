//! Two routers agree.

use super::*;

/// Both paths send each row to the same table, whatever the roles.
#[test]
fn two_routers_agree() {
    use Destination::{Primary, Reject, Replica};
    let lists = [vec![], vec!["A"], vec!["*"], vec!["a", "*"], vec!["B", "A"]];
    let lists = lists.map(|list| list.into_iter().map(str::to_owned).collect::<Vec<_>>());
    let servers = [("s".to_owned(), Replica), ("T".to_owned(), Reject), ("u".to_owned(), Primary)].into();
    let sources = [("replica/**".to_owned(), Replica), ("reject/*".to_owned(), Reject)].into();
    let template = Roles { primary: vec![], replica: vec![], default: Reject, servers, sources };
    let resources = [
        "",
        "/SUBSCRIPTIONS/0/PROVIDERS/MICROSOFT.DBFORPOSTGRESQL/FLEXIBLESERVERS/S",
        "/providers/Microsoft.DBforPostgreSQL/servers/u/databases/x",
        "/providers/Microsoft.DBforPostgreSQL/servers",
        "/s",
    ];
    let mut rows: Vec<[&str; 3]> = Vec::new();
    for role in ["", "A", "b", "*"] {
        for server in ["", "s", "S", "t", "x"] {
            rows.extend(resources.map(|resource| [role, server, resource]));
        }
    }
    let mut builder = RowBuilder::new(Format::Azure, UnknownKeys::Drop);
    for [role, server, resource] in &rows {
        let line = format!(r#"{{"ReplicaRole":"{role}","LogicalServerName":"{server}","resourceId":"{resource}"}}"#);
        builder.push(line.as_bytes(), 0).expect("a good line");
    }
    let batch = builder.finish("blob");
    for (primary, replica) in lists.iter().flat_map(|one| lists.iter().map(move |two| (one, two))) {
        for (rows_version, default) in [(1, Primary), (1, Reject), (2, Primary), (2, Replica), (2, Reject)] {
            let roles = Roles { primary: primary.clone(), replica: replica.clone(), default, ..template.clone() };
            let settings = RowSettings { rows_version, roles, ..RowSettings::example() };
            let (fast, plain) = (RoleMap::new(&settings).expect("globs"), Routing::new(&settings).expect("globs"));
            for file in ["a.json", "replica/b/c.json", "reject/a.json", "reject/b/a.json"] {
                let of_file = plain.of_file(file);
                let of_row = |[role, server, resource]: [&str; 3]| plain.of_row(of_file, role, [server, resource]);
                let routed: Vec<_> = rows.iter().copied().map(of_row).collect();
                assert_eq!(routed, fast.destinations(file, &batch), "{file} {settings:?}");
            }
        }
    }
}
