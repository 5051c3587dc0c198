//! Lines that nobody meant to write: changed at random, and built to hurt.

use super::*;

/// A generator of numbers that is the same on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % most.max(1)
    }
}

/// What is put into lines: tokens at the edges of JSON, and of Debezium.
const TOKENS: [&str; 22] = [
    "null",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    ",",
    ":",
    "-",
    "1e999",
    "99999999999999999999",
    "\"\\ud800\"",
    "true",
    "{}",
    "[]",
    "\"op\":\"d\",",
    "\"__op\":\"t\",",
    "\"schema\":{},\"payload\":",
    "\"scale\":-2147483648",
    "\"infinity\"",
    "\u{202e}",
];

fn mutate(line: &str, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = line.as_bytes().to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len());
        let end = (at + dice.below(40)).min(bytes.len());
        match dice.below(5) {
            0 if at < bytes.len() => bytes[at] = u8::try_from(dice.below(256)).expect("a byte"),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            3 => drop(bytes.splice(at..end, TOKENS[dice.below(TOKENS.len())].bytes())),
            _ => drop(bytes.splice(at..at, TOKENS[dice.below(TOKENS.len())].bytes())),
        }
    }
    bytes
}

#[test]
fn a_changed_line_is_a_line_of_json_or_a_reason() {
    let samples: Vec<String> = ALL.map(sample).into();
    let lines: Vec<&str> =
        samples.iter().flat_map(|sample| sample.lines()).filter(|line| line.len() < 12_000).collect();
    let (mut dice, mut decoder, mut good, mut bad) = (Dice(0x9e37_79b9_7f4a_7c15), Decoder::default(), 0, 0);
    for _ in 0..6000 {
        let line = mutate(lines[dice.below(lines.len())], &mut dice);
        match told(&mut decoder, &line) {
            Ok(Told::Plain(plain)) => {
                good += 1;
                assert!(
                    !plain.contains('\n') && serde_json::from_str::<&serde_json::value::RawValue>(&plain).is_ok(),
                    "{plain}"
                );
            }
            Ok(_) => {}
            Err(reason) => {
                bad += 1;
                assert!(!reason.to_string().is_empty());
            }
        }
    }
    assert!(good > 200 && bad > 200, "both are met: {good} and {bad}");
}

#[test]
fn nesting_costs_no_stack() {
    let deep = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
    let schema = |items: usize| {
        format!("{}{{\"type\":\"int32\"}}{}", "{\"type\":\"array\",\"items\":".repeat(items), "}".repeat(items))
    };
    let field = |items| {
        format!(
            r#"{{"type":"struct","name":"p.s.t.Value","fields":[{}]}}"#,
            schema(items).replacen('{', "{\"field\":\"a\",", 1)
        )
    };
    let line = |schema: &str| {
        format!(r#"{{"topic":"p.s.t","key":null,"value":{{"schema":{schema},"payload":{{"a":{deep}}}}}}}"#)
    };
    let told = |line: String| told(&mut Decoder::default(), line.as_bytes());
    assert!(matches!(told(line("null").replace("\"a\"", "\"__op\":\"c\",\"a\"")), Ok(Told::Plain(_))));
    assert!(matches!(told(line(&field(50))), Err(Reason::Value { .. })), "no number is that deep");
    assert_eq!(told(line(&field(100_000))), Err(Reason::Schema { place: "value" }));
    assert!(matches!(told(deep.clone()), Err(Reason::Unlike { .. })));
}

#[test]
fn a_short_line_makes_no_long_one() {
    let column = |ty: &str| format!(r#"{{"type":"struct","name":"p.s.t.Value","fields":[{{"field":"a",{ty}}}]}}"#);
    let told = |ty: &str, value: &str| {
        let line =
            format!(r#"{{"topic":"p.s.t","key":null,"value":{{"schema":{},"payload":{{"a":{value}}}}}}}"#, column(ty));
        told(&mut Decoder::default(), line.as_bytes())
    };
    let bits = r#""type":"bytes","name":"io.debezium.data.Bits","parameters":{"length":"4294967295"}"#;
    assert!(matches!(told(bits, "\"BQ==\""), Ok(Told::Plain(plain)) if plain.contains("\"a\":\"101\"")));
    let decimal =
        r#""type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"-2147483648"}"#;
    assert!(matches!(told(decimal, "\"BQ==\""), Err(Reason::Value { .. })));
    let many =
        r#""type":"array","items":{"type":"bytes","name":"io.debezium.data.Bits","parameters":{"length":"65536"}}"#;
    let empty = format!("[{}\"\"]", "\"\",".repeat(3000));
    assert!(matches!(told(many, &empty), Err(Reason::TooLarge { .. })));
}

#[test]
fn no_row_is_wider_than_a_table() {
    let row = |columns: usize| {
        let columns: Vec<String> = (0..columns).map(|i| format!("\"c{i}\":{i}")).collect();
        format!(r#"{{"topic":"p.s.t","key":null,"value":{{"__op":"c",{}}}}}"#, columns.join(","))
    };
    let told = |line: String| told(&mut Decoder::default(), line.as_bytes());
    assert!(matches!(told(row(1600)), Ok(Told::Plain(_))));
    assert!(matches!(told(row(2001)), Err(Reason::TooWide { .. })));
}

#[test]
fn schemas_are_forgotten_when_they_take_too_much() {
    let mut decoder = Decoder::default();
    let filler = "x".repeat(1 << 20);
    for i in 0..70 {
        let schema = format!(
            r#"{{"type":"struct","name":"p.s.t.Value","fields":[{{"field":"a{i}","type":"int32","name":"{filler}"}}]}}"#
        );
        let line = format!(
            r#"{{"topic":"p.s.t","key":null,"value":{{"schema":{schema},"payload":{{"a{i}":{i},"__op":"c"}}}}}}"#
        );
        assert!(matches!(told(&mut decoder, line.as_bytes()), Ok(Told::Plain(_))), "{i}");
        assert!(decoder.kept() <= 64 << 20);
    }
}
