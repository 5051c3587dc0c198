//! What must be true in the end of every kind: the totals are those of the rows, and the groups
//! stand level.

use std::collections::BTreeMap;

use lakefront_operators::protocol::names::Held;
use lakefront_operators::protocol::sums::Sum;
use serde_json::Value;

use crate::kind::SimKind;
use crate::lake::Lake;
use crate::world::World;

/// Returns the first rule of the outcome that does not hold.
pub(crate) fn check<K: SimKind>(w: &World<K>) -> Result<(), String> {
    K::outcome(w)?;
    for (lake, members) in w.lakes.iter().zip(w.layout.groups()) {
        for table in members.tables() {
            let name = members.role_of(table).unwrap_or_default();
            let rows: Sum = lake.landed().filter(|(of, _)| *of == table).map(|(_, row)| K::sum_of(row)).sum();
            let totals = lake.held.map(|held| totals(lake, held, name)).unwrap_or_default();
            if rows != totals {
                return Err(format!("TOTALS: {name} holds {rows:?}, and its offsets file says {totals:?}"));
            }
        }
    }
    let mut positions = w.lakes.iter().map(|l| l.held.map(|h| h.position));
    let first = positions.next().flatten();
    match first.is_some() && positions.all(|p| p == first) {
        true => Ok(()),
        false => Err("APART: the groups do not stand level after a clean end".into()),
    }
}

/// The sum of a table in the offsets file of `held`, put together by hand from its base and the
/// changes since.
fn totals<K: SimKind>(lake: &Lake<K>, held: Held, role: &str) -> Sum {
    let document = lake.document(held);
    let base = match serde_json::from_value(document["base"].clone()) {
        Ok(base) => lake.document(base),
        Err(_) => Value::Null,
    };
    let id = |entry: &Value| (entry["name"].clone().to_string(), entry["generation"].clone().to_string());
    let list = |entries: &Value| entries.as_array().cloned().unwrap_or_default();
    let gone: Vec<_> = list(&document["gone"]).iter().map(id).collect();
    let mut partitions = BTreeMap::new();
    for entry in list(&base["tables"][role]["partitions"]).iter().filter(|entry| !gone.contains(&id(entry))) {
        partitions.insert(id(entry), entry["sums"].clone());
    }
    for entry in list(&document["tables"][role]["partitions"]) {
        partitions.insert(id(&entry), entry["sums"].clone());
    }
    let sum = |value: &Value| serde_json::from_value::<Sum>(value.clone()).expect("a sum");
    let optional = |value: &Value| if value.is_null() { Sum::NONE } else { sum(value) };
    let rest = ["retired", "earlier"].map(|rest| optional(&document["tables"][role][rest]));
    partitions.values().flat_map(list).map(|value| sum(&value)).chain(rest).sum()
}
