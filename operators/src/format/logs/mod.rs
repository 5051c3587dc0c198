//! PostgreSQL's logs: the kind of their lines, the settings by which lines become rows, the rows,
//! and the reasons for which a line is none.

pub mod lines;
pub mod record;
pub mod rows;
pub mod settings;
