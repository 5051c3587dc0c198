//! Tokens of AWS's IAM for Amazon MSK: a signed URL, as the AWS libraries for MSK IAM make it (open
//! source, `aws-msk-iam-sasl-signer`). The signature is Signature Version 4, in a URL's query, as
//! AWS's documentation of its API describes it.

use std::fmt::Write;

use azure_core::base64;
use chrono::{DateTime, Utc};
use object_store::aws::AwsCredential;
use ring::{digest, hmac};

/// How long a token holds, in seconds: the longest that MSK takes.
const HOLDS: i64 = 900;
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SERVICE: &str = "kafka-cluster";

/// A token for the clusters of `region`, and when it ends, in milliseconds since 1970.
pub(super) fn token(region: &str, key: &AwsCredential, now: DateTime<Utc>) -> (String, i64) {
    let (host, date) = (format!("kafka.{region}.amazonaws.com"), now.format("%Y%m%d").to_string());
    let at = now.format("%Y%m%dT%H%M%SZ").to_string();
    let scope = format!("{date}/{region}/{SERVICE}/aws4_request");
    // In the order of their names, as they are signed.
    let mut query = format!(
        "Action={}&X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={}&X-Amz-Date={at}&X-Amz-Expires={HOLDS}",
        encoded("kafka-cluster:Connect"),
        encoded(&format!("{}/{scope}", key.key_id)),
    );
    if let Some(token) = &key.token {
        query += &format!("&X-Amz-Security-Token={}", encoded(token));
    }
    query += "&X-Amz-SignedHeaders=host";
    let request =
        format!("GET\n/\n{query}\nhost:{host}\n\nhost\n{}", hex(digest::digest(&digest::SHA256, b"").as_ref()));
    let digested = hex(digest::digest(&digest::SHA256, request.as_bytes()).as_ref());
    let secret = format!("AWS4{}", key.secret_key);
    let signing = [date.as_str(), region, SERVICE, "aws4_request"]
        .iter()
        .fold(secret.into_bytes(), |key, part| signed(&key, part));
    let signature = hex(&signed(&signing, &format!("{ALGORITHM}\n{at}\n{scope}\n{digested}")));
    let url = format!("https://{host}/?{query}&X-Amz-Signature={signature}&User-Agent=lakefront");
    (base64::encode_url_safe(url), (now.timestamp() + HOLDS) * 1000)
}

fn signed(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Text within a query: all but letters, digits, `-`, `.`, `_` and `~` (RFC 3986) is escaped.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same computed with Python's `hmac` and `hashlib`, from AWS's description.
    #[test]
    fn a_token_is_a_signed_url() {
        let key = |token: Option<&str>| AwsCredential {
            key_id: "AKIDEXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            token: token.map(str::to_owned),
        };
        let now = DateTime::from_timestamp(1_795_000_000, 0).expect("a time");
        for (session, signature) in [
            (None, "3249357a62bda41c333bfe920333901fc855b54b01ae8c6406fd6531a8bcb17f"),
            (Some("a/b+c=="), "b6434f3b0b00ebcd121e3dbaed4d60e464a8a30543af6622c245985b485de45e"),
        ] {
            let (token, ends_ms) = token("eu-west-1", &key(session), now);
            assert_eq!(ends_ms, 1_795_000_900_000);
            let url = String::from_utf8(base64::decode_url_safe(token).expect("base64")).expect("UTF-8");
            let with_session = session.map_or("", |_| "&X-Amz-Security-Token=a%2Fb%2Bc%3D%3D");
            assert_eq!(
                url,
                format!(
                    "https://kafka.eu-west-1.amazonaws.com/?Action=kafka-cluster%3AConnect&X-Amz-Algorithm={ALGORITHM}\
                     &X-Amz-Credential=AKIDEXAMPLE%2F20261118%2Feu-west-1%2Fkafka-cluster%2Faws4_request\
                     &X-Amz-Date=20261118T110640Z&X-Amz-Expires=900{with_session}&X-Amz-SignedHeaders=host\
                     &X-Amz-Signature={signature}&User-Agent=lakefront"
                )
            );
        }
    }
}
