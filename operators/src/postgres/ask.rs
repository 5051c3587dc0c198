//! Statements with parameters that take one round trip.
//!
//! The client library's own ask the server first what types the parameters of a statement have,
//! and in the end tell it to forget the statement: three exchanges. Here the types follow from the
//! values, so that all goes in one.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row};
use uuid::Uuid;

/// A value of a type that PostgreSQL has.
pub trait Typed {
    /// That type.
    fn of() -> Type;
}

/// A value of a type of which PostgreSQL has arrays.
pub trait Element {
    /// The type of the array.
    fn array() -> Type;
}

/// A parameter of a statement.
pub trait Param: Sync {
    /// Its type.
    fn of(&self) -> Type;

    /// Its value.
    fn value(&self) -> &(dyn ToSql + Sync);
}

impl<T: Typed + ToSql + Sync> Param for T {
    fn of(&self) -> Type {
        T::of()
    }

    fn value(&self) -> &(dyn ToSql + Sync) {
        self
    }
}

macro_rules! typed {
    ($($rust:ty => $of:ident, $array:ident;)*) => {$(
        impl Typed for $rust {
            fn of() -> Type {
                Type::$of
            }
        }
        impl Element for $rust {
            fn array() -> Type {
                Type::$array
            }
        }
    )*};
}

typed! {
    bool => BOOL, BOOL_ARRAY;
    i32 => INT4, INT4_ARRAY;
    i64 => INT8, INT8_ARRAY;
    u32 => OID, OID_ARRAY;
    str => TEXT, TEXT_ARRAY;
    String => TEXT, TEXT_ARRAY;
    [u8] => BYTEA, BYTEA_ARRAY;
    Uuid => UUID, UUID_ARRAY;
}

impl<T: Typed + ?Sized> Typed for &T {
    fn of() -> Type {
        T::of()
    }
}

impl<T: Element + ?Sized> Element for &T {
    fn array() -> Type {
        T::array()
    }
}

impl<T: Typed> Typed for Option<T> {
    fn of() -> Type {
        T::of()
    }
}

impl<T: Element> Element for Option<T> {
    fn array() -> Type {
        T::array()
    }
}

impl<T: Element> Typed for Vec<T> {
    fn of() -> Type {
        T::array()
    }
}

impl<T: Element> Typed for &[T] {
    fn of() -> Type {
        T::array()
    }
}

/// A session that is asked in one round trip.
///
/// PostgreSQL does not guess what a parameter may be: if a statement needs another type than the
/// value has, cast it, as in `$1::text::jsonb`.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use lakefront_operators::postgres::{self, Ask, Location};
///
/// let location = Location::parse("postgresql://flusher@127.0.0.1/hot")?;
/// let client = postgres::connect(&location, "lakefront").await?;
/// let named = client.ask("SELECT $1 || relname FROM pg_class", &[&"table "]).await?;
/// assert!(named.iter().any(|row| row.get::<_, &str>(0) == "table pg_class"));
/// # Ok(())
/// # }
/// ```
pub trait Ask {
    /// The rows that `sql` returns.
    fn ask(&self, sql: &str, params: &[&dyn Param]) -> impl Future<Output = Result<Vec<Row>, Error>> + Send;

    /// The one row that `sql` returns; another number of them is an error.
    fn ask_one(&self, sql: &str, params: &[&dyn Param]) -> impl Future<Output = Result<Row, Error>> + Send;

    /// The row that `sql` returns, if it returns one; more are an error.
    fn ask_opt(&self, sql: &str, params: &[&dyn Param]) -> impl Future<Output = Result<Option<Row>, Error>> + Send;

    /// How many rows `sql` has changed.
    fn tell(&self, sql: &str, params: &[&dyn Param]) -> impl Future<Output = Result<u64, Error>> + Send;
}

impl Ask for Client {
    async fn ask(&self, sql: &str, params: &[&dyn Param]) -> Result<Vec<Row>, Error> {
        self.query_typed(sql, &typed(params)).await
    }

    async fn ask_one(&self, sql: &str, params: &[&dyn Param]) -> Result<Row, Error> {
        self.query_typed_one(sql, &typed(params)).await
    }

    async fn ask_opt(&self, sql: &str, params: &[&dyn Param]) -> Result<Option<Row>, Error> {
        self.query_typed_opt(sql, &typed(params)).await
    }

    async fn tell(&self, sql: &str, params: &[&dyn Param]) -> Result<u64, Error> {
        self.execute_typed(sql, &typed(params)).await
    }
}

fn typed<'p>(params: &[&'p dyn Param]) -> Vec<(&'p (dyn ToSql + Sync), Type)> {
    params.iter().map(|param| (param.value(), param.of())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_follow_from_values() {
        let (names, none) = (vec!["a"], None::<i64>);
        let params: [&dyn Param; 7] =
            [&"text", &7_i64, &names, &none, &vec![Some(1_i64)], &b"bytes".as_slice(), &[1_u32].as_slice()];
        let of: Vec<Type> = params.iter().map(|param| param.of()).collect();
        assert_eq!(
            of,
            [Type::TEXT, Type::INT8, Type::TEXT_ARRAY, Type::INT8, Type::INT8_ARRAY, Type::BYTEA, Type::OID_ARRAY]
        );
    }
}
