//! How wide indices and differences are, and what large values cost.

use super::*;

fn encodings(column: &ColumnChunkMetaData) -> Vec<Encoding> {
    column.page_encoding_stats().unwrap().iter().map(|stats| stats.encoding).collect()
}

#[test]
fn a_file_without_rows_has_no_row_group() {
    assert_eq!(check(&[]).num_row_groups(), 0);
    assert_eq!(check(&[batch(Texts::One, Numbers::One, 0)]).num_row_groups(), 0);
}

#[test]
fn indices_of_every_width_are_read() {
    for distinct in [1, 2, 3, 5, 9, 17, 33, 65, 129, 257, 600, 1_500, 4_000, 9_000, 20_000, 40_000] {
        let texts = (0..2 * distinct + 20_000).map(|row| Some((row * 7919 % distinct).to_string()));
        let texts: ArrayRef = Arc::new(StringArray::from_iter(texts));
        let other = flat(&batch(Texts::Null, Numbers::Null, texts.len()));
        let mut columns = other.columns().to_vec();
        columns[0] = texts.clone();
        let (file, metadata) = ours(&[(RecordBatch::try_new(schema(), columns).unwrap(), false)]);
        assert!(read(file).column(0) == &texts, "{distinct} distinct texts");
        let indexed = encodings(metadata.row_group(0).column(0)).contains(&Encoding::RLE_DICTIONARY);
        assert_eq!(indexed, distinct <= 4_000, "{distinct} distinct texts");
    }
}

#[test]
fn differences_of_every_width_are_read() {
    let mut dice = Dice(1);
    let numbers = (0..65 * 128).map(|row| dice.roll().checked_shr(64 - row / 128).unwrap_or(0) as i64);
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers));
    let other = flat(&batch(Texts::Null, Numbers::Null, numbers.len()));
    let mut columns = other.columns().to_vec();
    columns[2] = numbers.clone();
    let (file, metadata) = ours(&[(RecordBatch::try_new(schema(), columns).unwrap(), false)]);
    assert!(read(file).column(2) == &numbers);
    assert_eq!(encodings(metadata.row_group(0).column(2)), [Encoding::DELTA_BINARY_PACKED]);
}

#[test]
fn texts_that_do_not_repeat_leave_no_dictionary() {
    for keyed in [false, true] {
        let words = [Words { keyed, ..batch(Texts::Distinct, Numbers::Steps, 9_000) }];
        let metadata = check(&words);
        let text = metadata.row_group(0).column(0);
        assert_eq!((encodings(text), text.dictionary_page_offset()), (vec![Encoding::PLAIN], None));
    }
}

#[test]
fn a_full_dictionary_is_followed_by_plain_values() {
    // Values that repeat at first, and are too many later.
    let repeating = batch(Texts::Thousands, Numbers::Few, 30_000);
    let distinct = |seed| Words { seed, ..batch(Texts::Distinct, Numbers::Any, 130_000) };
    for keyed in [false, true] {
        let words = [repeating.clone(), distinct(2), Words { keyed, ..repeating.clone() }];
        let metadata = check(&words);
        for place in [0, 1] {
            let encodings = encodings(metadata.row_group(0).column(place));
            assert_eq!(
                encodings,
                [Encoding::RLE_DICTIONARY, Encoding::PLAIN, Encoding::PLAIN],
                "the last is the dictionary"
            );
        }
        let numbers = encodings(metadata.row_group(0).column(2));
        assert_eq!(numbers, [Encoding::RLE_DICTIONARY, Encoding::DELTA_BINARY_PACKED, Encoding::PLAIN]);
    }
}

#[test]
fn values_longer_than_a_page_or_a_dictionary_are_read() {
    let long: ArrayRef =
        Arc::new(StringArray::from_iter_values(["ż".repeat(3 << 20), String::new(), "ż".repeat(3 << 20)]));
    let other = flat(&batch(Texts::Few, Numbers::Few, 3));
    let mut columns = other.columns().to_vec();
    columns[0] = long.clone();
    let short = flat(&batch(Texts::Few, Numbers::Few, 5_000));
    let with_long = RecordBatch::try_new(schema(), columns).unwrap();
    for batches in [[with_long.clone(), short.clone()], [short, with_long]] {
        let all = arrow_select::concat::concat_batches(&schema(), &batches).unwrap();
        let batches = batches.map(|batch| (batch, false));
        let (file, metadata) = ours(&batches);
        assert!(read(file) == all);
        let theirs = told(&theirs(&batches));
        for (ours, theirs) in std::iter::zip(told(&metadata), theirs) {
            assert_eq!((ours.min, ours.max, ours.nulls), (theirs.min, theirs.max, theirs.nulls));
        }
    }
}

/// Rows of these texts; all other columns are null.
fn only_texts<'t>(texts: impl Iterator<Item = &'t str>) -> RecordBatch {
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    let mut columns = flat(&batch(Texts::Null, Numbers::Null, texts.len())).columns().to_vec();
    columns[0] = texts;
    RecordBatch::try_new(schema(), columns).unwrap()
}

#[test]
fn a_long_value_among_many_short_ones_is_not_repeated_in_memory() {
    let long = "x".repeat(600_000);
    let short: Vec<String> = (0..40).map(|row| row.to_string()).collect();
    let texts = short.iter().flat_map(|short| [short.as_str(), long.as_str()]);
    let batch = only_texts(texts);
    let mut encoder = FileEncoder::begin(Vec::new(), schema()).unwrap();
    encoder.write(&batch).unwrap();
    encoder.close_row_group().unwrap();
    let Finished { out: bytes, metadata, .. } = encoder.finish().unwrap();
    assert_eq!(encodings(metadata.row_group(0).column(0)), [Encoding::RLE_DICTIONARY, Encoding::PLAIN]);
    assert!(bytes.len() < 100_000, "{}", bytes.len());
}

#[test]
fn a_dictionary_that_fills_after_the_trial_is_not_written_out_value_by_value() {
    let (long, other) = ("x".repeat(1_000_000), "y".repeat(100_000));
    let texts = repeat_n("a", 16 << 10).chain(repeat_n(long.as_str(), 300)).chain([other.as_str()]);
    let batch = only_texts(texts);
    let mut encoder = FileEncoder::begin(Vec::new(), schema()).unwrap();
    encoder.write(&batch).unwrap();
    assert!(encoder.memory() < 16 << 20, "{}", encoder.memory());
    encoder.close_row_group().unwrap();
    let Finished { out: bytes, metadata, .. } = encoder.finish().unwrap();
    // Indices, what came after the dictionary was full, and the dictionary.
    assert_eq!(
        encodings(metadata.row_group(0).column(0)),
        [Encoding::RLE_DICTIONARY, Encoding::PLAIN, Encoding::PLAIN]
    );
    assert!(bytes.len() < 500_000, "{}", bytes.len());
}

#[test]
fn what_repeats_or_goes_in_steps_costs_next_to_nothing() {
    let words = [Words { keyed: true, ..batch(Texts::One, Numbers::Steps, 100_000) }];
    let metadata = check(&words);
    let bytes = |place: usize| metadata.row_group(0).column(place).compressed_size();
    assert!(bytes(0) < 1_000, "{}", bytes(0));
    // 900 different steps take ten bits or eleven.
    assert!(bytes(2) < 100_000 * 12 / 8, "{}", bytes(2));
}

#[test]
fn other_columns_than_the_schema_has_are_an_error() {
    let good = flat(&batch(Texts::One, Numbers::One, 3));
    let mut encoder = FileEncoder::begin(Vec::new(), schema()).unwrap();
    assert!(encoder.write(&good.project(&[0, 1, 2]).unwrap()).is_err());
    let error = encoder.write(&good.project(&[2, 1, 0, 3]).unwrap()).unwrap_err();
    assert!(error.to_string().contains("Int64"), "{error}");
}
