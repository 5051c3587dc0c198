//! When texts become keys of a dictionary, and when they stay texts.

use super::*;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt16Type;
use arrow_schema::DataType;

fn append(texts: &mut Texts, text: &str) {
    let raw = format!("\"{text}\"");
    match texts.find(&raw) {
        Some(key) => texts.append_key(key),
        None => texts.append(text, &raw),
    }
}

/// What `texts` makes of a batch, and whether it has keys.
fn batch<T: AsRef<str>>(texts: &mut Texts, values: &[T]) -> (Vec<String>, bool) {
    values.iter().for_each(|value| append(texts, value.as_ref()));
    let array = texts.finish();
    let keys = matches!(array.data_type(), DataType::Dictionary(..));
    let array = match array.as_dictionary_opt::<UInt16Type>() {
        Some(dictionary) => {
            let values = dictionary.values().as_string::<i32>();
            dictionary.keys().iter().map(|key| values.value(key.unwrap_or_default().into()).to_owned()).collect()
        }
        None => array.as_string::<i32>().iter().map(|text| text.unwrap_or_default().to_owned()).collect(),
    };
    (array, keys)
}

fn distinct(from: usize, count: usize) -> Vec<String> {
    (from..from + count).map(|number| format!("value {number}")).collect()
}

#[test]
fn values_that_repeat_become_keys_of_one_dictionary() {
    let mut texts = Texts::new();
    let values = ["a", "b", "", "a", "a"].repeat(100);
    assert_eq!(batch(&mut texts, &values), (values.iter().map(|v| (*v).to_owned()).collect(), true));
    append(&mut texts, "b");
    let one = texts.finish();
    append(&mut texts, "a");
    let other = texts.finish();
    let values = |array: &ArrayRef| array.as_dictionary::<UInt16Type>().values().clone();
    assert!(Arc::ptr_eq(&values(&one), &values(&other)), "nothing was added");
    append(&mut texts, "c");
    assert_eq!(values(&texts.finish()).len(), 4);
}

#[test]
fn values_that_are_mostly_new_stay_text_for_some_batches() {
    let mut texts = Texts::new();
    let new = distinct(0, 100);
    assert_eq!(batch(&mut texts, &new), (new.clone(), true));
    for _ in 0..BATCHES_AS_TEXT {
        assert_eq!(batch(&mut texts, &["a"; 100]), (vec!["a".to_owned(); 100], false));
    }
    assert!(batch(&mut texts, &["a"; 100]).1);
}

#[test]
fn a_batch_with_too_many_values_or_too_long_ones_is_text_from_its_first_row() {
    let mut texts = Texts::new();
    let many = distinct(0, MOST_VALUES + 1);
    assert_eq!(batch(&mut texts, &many), (many.clone(), false));
    let mut texts = Texts::new();
    let long = ["a".to_owned(), "b".repeat(MOST_BYTES), "a".to_owned()];
    assert_eq!(batch(&mut texts, &long), (long.to_vec(), false));
}

#[test]
fn a_dictionary_that_grows_slowly_begins_anew_in_time() {
    let mut texts = Texts::new();
    for round in 0..10 * MOST_VALUES / 100 {
        let new = distinct(round * 100, 100);
        let values = [&new[..], &new, &new].concat();
        assert_eq!(batch(&mut texts, &values), (values, true));
    }
}

#[test]
fn texts_that_displace_one_another_keep_their_keys() {
    let mut texts = Texts::new();
    let alike: Vec<String> = (0..450).map(|n| format!("same beginning {} same end", n % 9)).collect();
    assert_eq!(batch(&mut texts, &alike), (alike, true));
}
