//! JSON as a log may have it, and worse, becomes the same on both paths.

use super::odd::wrapped;
use super::*;

/// A string as JSON text, with some characters escaped.
fn json_string() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        6 => "[ -!#-\\[\\]-~]",
        1 => "[é☃😀\u{7f}\u{2028}]",
        1 => prop::sample::select(vec![r#"\""#, r"\\", r"\/", r"\b", r"\f", r"\n", r"\r", r"\t"]).prop_map(str::to_owned),
        1 => (0_u32..0xD800).prop_map(|unit| format!("\\u{unit:04x}")),
        1 => (0xD800_u32..0xDC00, 0xDC00_u32..0xE000).prop_map(|(high, low)| format!("\\u{high:04X}\\u{low:04x}")),
        1 => (0xD7F0_u32..0xE010).prop_map(|unit| if unit % 8 == 0 { format!("\\u{unit:04x}") } else { "x".to_owned() }),
    ];
    prop::collection::vec(character, 0..12).prop_map(|characters| format!("\"{}\"", characters.concat()))
}

fn integer() -> impl Strategy<Value = String> {
    let fitting = vec!["0", "9223372036854775807", "-9223372036854775808"];
    let others =
        vec!["9223372036854775808", "-9223372036854775809", "99999999999999999999", "1.0", "1e3", "-0", "1e999"];
    let edges = prop_oneof![prop::sample::select(fitting), prop::sample::select(others)].prop_map(str::to_owned);
    let decimal = "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{0,3}0{0,4})?([eE][+-]?[0-9]{1,2})?".prop_map(String::from);
    let number = prop_oneof![6 => any::<i64>().prop_map(|n| n.to_string()), 1 => edges, 1 => decimal];
    prop_oneof![8 => number.clone(), 1 => number.prop_map(|number| format!("\"{number}\""))]
}

fn time() -> impl Strategy<Value = String> {
    let zones =
        vec!["Z", " UTC", "GMT", " +00", " CEST", " EST", "+02:00", " -0330", " -00", " IST", "", "  Z", " BST", " "];
    let fractions = vec!["", "", ".468", ".1", ".123456789", ".000001", ".", ".1234567890"];
    let zone = prop_oneof![8 => prop::sample::select(zones[..9].to_vec()), 1 => prop::sample::select(zones)];
    let fraction =
        prop_oneof![8 => prop::sample::select(fractions[..6].to_vec()), 1 => prop::sample::select(fractions)];
    let date = prop_oneof![8 => (1_u32..10000, 1_u32..13, 1_u32..29), 1 => (0_u32..10000, 0_u32..14, 0_u32..33)];
    let clock = prop_oneof![12 => (0_u32..24, 0_u32..60, 0_u32..60), 1 => (0_u32..26, 0_u32..62, 0_u32..62)];
    let separator = prop_oneof![Just('T'), Just(' ')];
    (date, clock, fraction, zone, separator).prop_map(|(date, clock, fraction, zone, separator)| {
        let ((year, month, day), (hour, minute, second)) = (date, clock);
        format!("\"{year:04}-{month:02}-{day:02}{separator}{hour:02}:{minute:02}:{second:02}{fraction}{zone}\"")
    })
}

/// Any JSON value, sometimes nested.
fn any_value() -> impl Strategy<Value = String> {
    let words =
        vec!["null", "true", "false", "-1.5E-2", "[]", "{}", "-0", "1e999", "-1e400", "0e999", "1e-999", "\"\\ud83d\""];
    let leaf = prop_oneof![json_string(), integer(), prop::sample::select(words).prop_map(str::to_owned)];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|values| format!("[ {}]", values.join(" ,"))),
            prop::collection::vec((json_string(), inner), 0..3).prop_map(object),
        ]
    })
}

fn object(members: Vec<(String, String)>) -> String {
    let members: Vec<String> = members.into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
    format!("{{{} }}", members.join(","))
}

/// A member of the line (or, if `inner`, of `properties`): mostly a known key with a value of its
/// type.
fn member(format: Format, inner: bool) -> BoxedStrategy<(String, String)> {
    let columns = Columns::of(format);
    let known: Vec<_> = columns.keys().filter(|(of, ..)| *of == inner).map(|(_, key, kind)| (key, kind)).collect();
    let known = prop::sample::select(known).prop_flat_map(|(key, kind)| {
        let value = match kind {
            Kind::Text => json_string().boxed(),
            Kind::Integer => integer().boxed(),
            Kind::Time => time().boxed(),
        };
        let value = prop_oneof![30 => value, 1 => any_value(), 1 => Just("null".to_owned())];
        let first = u32::from(key.as_bytes()[0]);
        let escaped = format!("\"\\u{first:04x}{}\"", &key[1..]);
        (prop_oneof![9 => Just(format!("\"{key}\"")), 1 => Just(escaped)], value)
    });
    let few = prop::sample::select(vec![
        "\"x\"",
        "\"properties.x\"",
        "\"\\u0078\"",
        "\"\\n\"",
        "\"\\u000A\"",
        "\"properties\"",
        "\"category\t\"",
    ]);
    let few = few.prop_map(str::to_owned);
    prop_oneof![8 => known, 1 => (json_string(), any_value()), 1 => (few, any_value())].boxed()
}

fn line(format: Format) -> BoxedStrategy<String> {
    if format == Format::Jsonlog {
        return prop::collection::vec(member(format, false), 0..12).prop_map(object).boxed();
    }
    let inner = prop::collection::vec(member(format, true), 0..8).prop_map(object);
    let properties = prop_oneof![12 => inner.boxed(), 1 => any_value().boxed()];
    let properties = properties.prop_map(|value| ("\"properties\"".to_owned(), value));
    let members = prop_oneof![4 => member(format, false), 1 => properties];
    prop::collection::vec(members, 0..12).prop_map(object).boxed()
}

fn format_and_line() -> impl Strategy<Value = (Format, String)> {
    prop_oneof![Just(Format::Azure), Just(Format::Jsonlog)].prop_flat_map(|format| (Just(format), line(format)))
}

fn unknown_keys() -> impl Strategy<Value = UnknownKeys> {
    prop::sample::select(vec![UnknownKeys::Keep, UnknownKeys::Drop, UnknownKeys::Reject])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lines_become_the_same((format, line) in format_and_line(), unknown_keys in unknown_keys()) {
        assert_agreement(line.as_bytes(), format, unknown_keys);
    }

    #[test]
    fn mutated_lines_become_the_same(
        (format, line) in format_and_line(),
        unknown_keys in unknown_keys(),
        mutations in mutations(4),
    ) {
        assert_agreement(&mutated(line.into_bytes(), &mutations), format, unknown_keys);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn records_are_found_in_the_same_places(
        (format, line) in format_and_line(),
        unknown_keys in unknown_keys(),
        (inner, outer) in (0_usize..15, 0_usize..15),
        mutations in mutations(3),
    ) {
        let whole = wrapped(&wrapped(&line, inner), outer);
        let torn = mutated(whole.clone().into_bytes(), &mutations);
        assert_same_records(&[whole.as_bytes(), &torn, whole.as_bytes()], format, unknown_keys);
    }

    #[test]
    fn lines_that_follow_others_become_the_same(
        (format, line) in format_and_line(),
        unknown_keys in unknown_keys(),
        variants in prop::collection::vec(mutations(3), 1..5),
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..200),
        batch in 1_usize..150,
    ) {
        let variants: Vec<_> = variants.iter().map(|by| mutated(line.clone().into_bytes(), by)).collect();
        let lines: Vec<_> = order.iter().map(|which| which.get(&variants).as_slice()).collect();
        assert_agreement_in_a_row(&lines, batch, format, unknown_keys);
    }
}
