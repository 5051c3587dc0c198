//! Which tables a pipeline has, and which of them commit as one.

use crate::protocol::names::{GroupId, TableId};

/// A pipeline's groups, in the order in which a run claims them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout(Vec<Members>);

/// The tables of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    /// The group's role in the pipeline.
    pub role: String,
    tables: Vec<(TableId, String)>,
}

impl Layout {
    /// Groups by their roles, with the roles of their tables. The tables' order is that of the
    /// groups.
    pub fn new<'r>(groups: impl IntoIterator<Item = (&'r str, Vec<&'r str>)>) -> Layout {
        let mut ids = (0..).map(TableId);
        let members = |(role, tables): (&str, Vec<&str>)| Members {
            role: role.to_owned(),
            tables: ids.by_ref().zip(tables).map(|(id, role)| (id, role.to_owned())).collect(),
        };
        Layout(groups.into_iter().map(members).collect())
    }

    /// Tables of these roles, each a group of its own.
    pub fn each(roles: &[&str]) -> Layout {
        Layout::new(roles.iter().map(|role| (*role, vec![*role])))
    }

    /// Tables of these roles, which are one group, whose role is `role`.
    pub fn together(role: &str, tables: &[&str]) -> Layout {
        Layout::new([(role, tables.to_vec())])
    }

    /// The groups, in claim order.
    pub fn groups(&self) -> &[Members] {
        &self.0
    }

    /// The group that a table belongs to; `None` if there is no such table.
    pub fn group_of(&self, table: TableId) -> Option<GroupId> {
        self.0.iter().position(|members| members.has(table)).map(GroupId)
    }

    /// The roles of all tables, in their order.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(Members::roles)
    }
}

impl Members {
    /// The tables of the group.
    pub fn tables(&self) -> impl Iterator<Item = TableId> {
        self.tables.iter().map(|(table, _)| *table)
    }

    /// The roles of its tables.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().map(|(_, role)| &**role)
    }

    /// The role of one of its tables; `None` if the table is none of them.
    pub fn role_of(&self, table: TableId) -> Option<&str> {
        self.tables.iter().find(|(id, _)| *id == table).map(|(_, role)| &**role)
    }

    /// Whether the table is one of its.
    pub fn has(&self, table: TableId) -> bool {
        self.role_of(table).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_alone_or_together() {
        let (each, together) = (Layout::each(&["a", "b"]), Layout::together("lake", &["a", "b"]));
        assert_eq!(each.group_of(TableId(1)), Some(GroupId(1)));
        assert_eq!(together.group_of(TableId(1)), Some(GroupId(0)));
        assert_eq!(together.group_of(TableId(2)), None);
        assert_eq!(each.roles().collect::<Vec<_>>(), together.roles().collect::<Vec<_>>());
        assert_eq!(together.groups()[0].role_of(TableId(1)), Some("b"));
        assert_eq!(each.groups()[0].role_of(TableId(1)), None, "it is in the other group");
    }
}
