//! Texts that look like those of an ingester: which kind, a column's name says.

use crate::generate::random::Random;

/// What the texts of a column look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Like {
    /// 64 hexadecimal digits.
    Hash,
    /// An account's address, of which there are a thousand.
    Account,
    /// A contract's, of which there are a hundred.
    Contract,
    /// The code of an asset.
    Asset,
    /// A number with seven decimals.
    Amount,
    /// JSON.
    Json,
    /// Some hundred characters of base64.
    Binary,
    /// A word or two, in several scripts.
    Words,
}

/// The digits of addresses.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const WORDS: [&str; 9] = [
    "payment",
    "invoke_host_function",
    "era-59",
    "v23",
    "naïve",
    "snow ☃ 雪",
    "\"quoted\", {braces}",
    "",
    "tab\tand\nline",
];
const ASSETS: [&str; 5] = ["USDC", "EURC", "AQUA", "yXLM", "XRP"];

impl Like {
    /// What the texts of a column with this name look like: the first word that is in it says so.
    pub(super) fn of(name: &str) -> Like {
        const KNOWN: [(&str, Like); 26] = [
            ("json", Like::Json),
            ("topics", Like::Json),
            ("decoded", Like::Json),
            ("signers", Like::Json),
            ("hash", Like::Hash),
            ("balance_id", Like::Hash),
            ("pool_id", Like::Hash),
            ("event_id", Like::Hash),
            ("contract_id", Like::Contract),
            ("account", Like::Account),
            ("issuer", Like::Account),
            ("sponsor", Like::Account),
            ("signer", Like::Account),
            ("destination", Like::Account),
            ("address", Like::Account),
            ("asset_code", Like::Asset),
            ("amount", Like::Amount),
            ("balance", Like::Amount),
            ("price", Like::Amount),
            ("limit", Like::Amount),
            ("liabilities", Like::Amount),
            ("xdr", Like::Binary),
            ("signature", Like::Binary),
            ("envelope", Like::Binary),
            ("meta", Like::Binary),
            ("header", Like::Binary),
        ];
        KNOWN.iter().find(|(word, _)| name.contains(word)).map_or(Like::Words, |(_, like)| *like)
    }

    /// A text of at most `longest` characters. Only what is shortened is not what it looks like.
    pub(super) fn text(self, longest: usize, random: &mut Random) -> String {
        let text = match self {
            Like::Hash => (0..4).map(|_| format!("{:016x}", random.next())).collect(),
            Like::Account => address('G', random.between(0, 1_000)),
            Like::Contract => address('C', random.between(0, 100)),
            Like::Asset => random.word(&ASSETS).to_owned(),
            Like::Amount => {
                let stroops = random.between(0, 100_000_000_000_000);
                format!("{}.{:07}", stroops / 10_000_000, stroops % 10_000_000)
            }
            Like::Json => {
                let (amount, depth) = (random.between(0, 1 << 40), random.between(0, 4));
                format!(r#"{{"to": "{}", "amount": {amount}, "depth": {depth}, "memo": null}}"#, address('G', depth))
            }
            Like::Binary => {
                let length = 100 + random.index(200);
                format!("AAAA{}", (0..length / 16).map(|_| format!("{:016x}", random.next())).collect::<String>())
            }
            Like::Words => random.word(&WORDS).to_owned(),
        };
        match text.char_indices().nth(longest) {
            Some((end, _)) => text[..end].to_owned(),
            None => text,
        }
    }
}

/// The `n`th address: letters, digits and length as in the real thing, without its checksum.
fn address(kind: char, n: u64) -> String {
    let mut random = Random::new(n);
    let rest = (0..55).map(|_| char::from(*random.pick(BASE32)));
    [kind].into_iter().chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_texts_look_like() {
        for (name, like) in [
            ("transaction_hash", Like::Hash),
            ("claimable_balance_id", Like::Hash),
            ("source_account", Like::Account),
            ("asset_issuer", Like::Account),
            ("soroban_arguments_json", Like::Json),
            ("selling_amount", Like::Amount),
            ("tx_envelope", Like::Binary),
            ("era_id", Like::Words),
        ] {
            assert_eq!(Like::of(name), like, "{name}");
        }
    }

    #[test]
    fn texts_have_room_for_no_more() {
        let mut random = Random::new(3);
        for like in [Like::Hash, Like::Account, Like::Amount, Like::Json, Like::Binary, Like::Words] {
            for longest in [0, 1, 7, 30] {
                assert!((0..50).all(|_| like.text(longest, &mut random).chars().count() <= longest), "{like:?}");
            }
        }
        assert_eq!(address('G', 5).len(), 56);
        assert_eq!(address('G', 5), address('G', 5));
        let json: Result<serde_json::Value, _> = serde_json::from_str(&Like::Json.text(usize::MAX, &mut random));
        assert!(json.is_ok());
    }
}
