//! The key by which rows of a hot table are found in the lake.
//!
//! Two keys are one if PostgreSQL says so. It keeps how many digits behind the point a numeric was
//! written with, and says that 1.0 and 1.00 are equal. Where the lake has such a number as text,
//! the zeros at its end do not count.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch, StringArray};

use crate::totals::hash;

/// The columns of a primary key, as the lake has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// Their names.
    pub names: Vec<String>,
    /// Which of them are numbers that the lake has as texts.
    pub numbers: Vec<bool>,
}

impl Key {
    /// A hash of each row's key. The columns of `batch` are those of the key.
    ///
    /// # Panics
    /// On a column of a type that [`hash::kind`] does not know.
    pub fn hashes(&self, batch: &RecordBatch) -> Vec<u128> {
        hash::keys(&self.compared(batch))
    }

    /// The rows with one text for each number.
    fn compared<'b>(&self, batch: &'b RecordBatch) -> Cow<'b, RecordBatch> {
        if !self.numbers.contains(&true) {
            return Cow::Borrowed(batch);
        }
        let column = |(at, array): (usize, &ArrayRef)| match array.as_string_opt::<i32>() {
            Some(texts) if self.numbers.get(at) == Some(&true) => {
                Arc::new(texts.iter().map(|text| text.map(shortest)).collect::<StringArray>()) as ArrayRef
            }
            _ => array.clone(),
        };
        let columns = batch.columns().iter().enumerate().map(column).collect();
        Cow::Owned(RecordBatch::try_new(batch.schema(), columns).expect("types and lengths are what they were"))
    }
}

/// `text` without zeros at the end of its fraction.
fn shortest(text: &str) -> &str {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use arrow_schema::{DataType, Field, Schema};

    use super::*;

    fn hashes(texts: &[&str], is_number: bool) -> Vec<u128> {
        let schema = Schema::new(vec![Field::new("id", DataType::Utf8, false)]);
        let array = Arc::new(StringArray::from(texts.to_vec()));
        let batch = RecordBatch::try_new(Arc::new(schema), vec![array]).expect("rows");
        Key { names: vec!["id".to_owned()], numbers: vec![is_number] }.hashes(&batch)
    }

    #[test]
    fn numbers_that_are_equal_are_one_key() {
        let texts = ["1", "1.0", "1.00", "100", "-2.50", "-2.5", "0.00", "0", "NaN", "10"];
        let number = hashes(&texts, true);
        let same = |all: &[u128], a: usize, b: usize| all[a] == all[b];
        assert!(same(&number, 0, 1) && same(&number, 1, 2) && same(&number, 4, 5) && same(&number, 6, 7));
        assert!(!same(&number, 0, 3) && !same(&number, 0, 9) && !same(&number, 8, 0) && !same(&number, 0, 6));
        // Of texts every character counts.
        let text = hashes(&texts, false);
        assert!(!same(&text, 0, 1) && !same(&text, 1, 2));
        assert_eq!(number[3], text[3], "a whole number is what it was");
    }
}
