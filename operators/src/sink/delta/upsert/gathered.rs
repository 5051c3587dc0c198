//! All changes of a cut, in the batches in which they came. They are not copied together: they may
//! have more bytes of text than one array can.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use arrow_array::{Array, ArrayRef, BinaryArray, RecordBatch};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};

use super::changes::{Changes, Operation};
use super::order::{Order, Truncations};

/// The changes of a cut, numbered through.
pub(super) struct Gathered {
    batches: Vec<RecordBatch>,
    /// By batch.
    origins: Vec<Option<BinaryArray>>,
    /// By change, its batch and its row there.
    places: Vec<(u32, u32)>,
    pub(super) operations: Vec<Operation>,
    /// By column, the changes whose value was not sent.
    pub(super) unavailable: BTreeMap<usize, BooleanBuffer>,
    pub(super) order: Vec<Order>,
    pub(super) truncations: Truncations,
}

impl Gathered {
    /// All of `parts` after one another; none if they change nothing.
    pub(super) fn of(parts: Vec<Changes>) -> Option<Gathered> {
        let mut all = Gathered {
            batches: Vec::new(),
            origins: Vec::new(),
            places: Vec::new(),
            operations: Vec::new(),
            unavailable: unavailable(&parts),
            order: Vec::new(),
            truncations: Truncations::of(parts.iter().flat_map(|part| &part.truncations)),
        };
        for (part, number) in parts.into_iter().filter(|part| part.rows.num_rows() > 0).zip(0..) {
            all.places.extend((0..part.rows.num_rows() as u32).map(|row| (number, row)));
            all.operations.extend(part.operations);
            all.order.extend(part.order);
            all.batches.push(part.rows);
            all.origins.push(part.origins);
        }
        (all.len() > 0 || !all.truncations.is_empty()).then_some(all)
    }

    /// How many changes there are.
    pub(super) fn len(&self) -> usize {
        self.operations.len()
    }

    pub(super) fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// Which of the batches has the row of `change`, and where.
    pub(super) fn place(&self, change: usize) -> (usize, usize) {
        let (batch, row) = self.places[change];
        (batch as usize, row as usize)
    }

    /// Whether the value of `column` was not sent with `change`.
    pub(super) fn is_unavailable(&self, change: usize, column: usize) -> bool {
        self.unavailable.get(&column).is_some_and(|changes| changes.value(change))
    }

    /// What the pipeline wants back of `change`.
    pub(super) fn origin(&self, change: usize) -> &[u8] {
        let (batch, row) = self.place(change);
        self.origins[batch].as_ref().filter(|origins| origins.is_valid(row)).map_or(&[], |origins| origins.value(row))
    }

    /// Which of two changes of one key and one partition came first; partitions come by their
    /// numbers.
    pub(super) fn compare(&self, a: usize, b: usize) -> Ordering {
        let at = |change: usize| (self.order[change].partition, self.order[change].offset, change);
        at(a).cmp(&at(b))
    }

    /// What a row takes on average, in bytes.
    pub(super) fn row_bytes(&self) -> usize {
        self.batches.iter().map(bytes).sum::<usize>() / self.len().max(1)
    }
}

/// What the rows of `batch` take, in bytes.
pub(super) fn bytes(batch: &RecordBatch) -> usize {
    // Without buffers that they share with others.
    let of = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or(0);
    batch.columns().iter().map(of).sum()
}

/// By column, the rows of all `parts` whose value was not sent.
fn unavailable(parts: &[Changes]) -> BTreeMap<usize, BooleanBuffer> {
    let mut unavailable = BTreeMap::new();
    for column in parts.iter().flat_map(|part| part.unavailable.keys()) {
        unavailable.entry(*column).or_insert_with(|| {
            let mut all = BooleanBufferBuilder::new(parts.iter().map(|part| part.rows.num_rows()).sum());
            for part in parts {
                match part.unavailable.get(column) {
                    Some(rows) => all.append_buffer(rows),
                    None => all.append_n(part.rows.num_rows(), false),
                }
            }
            all.finish()
        });
    }
    unavailable
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::StringArray;

    use super::*;

    /// Changes with these texts; those that are empty were not sent, and have an origin.
    fn part(texts: &[&str]) -> Changes {
        let rows = Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
        let unsent: BooleanBuffer = texts.iter().map(|text| text.is_empty()).collect();
        Changes {
            rows: RecordBatch::try_from_iter([("text", rows)]).unwrap(),
            operations: vec![Operation::Update; texts.len()],
            unavailable: BTreeMap::from([(0, unsent)]),
            order: vec![Order::default(); texts.len()],
            origins: Some(texts.iter().map(|text| text.is_empty().then_some("origin")).collect()),
            truncations: vec![],
        }
    }

    #[test]
    fn parts_that_do_not_name_the_same_columns_come_together() {
        let plain = Changes { unavailable: BTreeMap::new(), origins: None, ..part(&["a"]) };
        let all = Gathered::of(vec![plain, part(&[]), part(&["", "b"])]).unwrap();
        assert_eq!([0, 1, 2].map(|change| all.is_unavailable(change, 0)), [false, true, false]);
        assert_eq!([0, 1, 2].map(|change| all.origin(change)), [&b""[..], b"origin", b""]);
        assert_eq!([0, 1, 2].map(|change| all.place(change)), [(0, 0), (1, 0), (1, 1)]);
    }

    #[test]
    fn what_changes_nothing_is_nothing() {
        assert!(Gathered::of(vec![]).is_none());
        assert!(Gathered::of(vec![part(&[])]).is_none());
        let truncated = Changes { truncations: vec![Order::default()], ..part(&[]) };
        assert!(Gathered::of(vec![truncated]).is_some_and(|all| all.len() == 0 && all.row_bytes() == 0));
    }
}
