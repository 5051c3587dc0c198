//! Certificates of our own, for servers that are asked who they are: an authority, and what it
//! signs. They are X.509 of version 3 (RFC 5280) with keys of P-256, written in DER.

use azure_core::base64;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

/// Tags of DER.
const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT: u8 = 0x06;
const UTF8: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// A DNS name among the alternative names.
const DNS_NAME: u8 = 0x82;
/// The version of a certificate, and its extensions.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// Object identifiers, without tag and length.
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];

/// When all of them begin to be valid.
const FROM: &str = "200101000000Z";
/// When those that are valid today end.
const FAR: &str = "491231235959Z";
/// When those that are not have ended.
const PAST: &str = "210101000000Z";

/// Who signs certificates. Each has a key of its own.
pub(crate) struct Authority {
    name: String,
    key: EcdsaKeyPair,
    /// Its certificate, in PEM.
    pub(crate) pem: String,
}

/// A certificate and its key, in PEM.
pub(crate) struct Signed {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Authority {
        let (key, _) = new_key();
        let constraint = tlv(SEQUENCE, &tlv(BOOLEAN, &[0xff]));
        let constraint = extension(BASIC_CONSTRAINTS, &constraint);
        let pem = certificate((name, &key), (name, &key), FAR, &constraint);
        Authority { name: name.to_owned(), key, pem }
    }

    /// Signs for a server of this name.
    pub(crate) fn signs(&self, host: &str) -> Signed {
        self.signs_until(host, FAR)
    }

    /// Has signed for a server of this name what is not valid any more.
    pub(crate) fn signed_long_ago(&self, host: &str) -> Signed {
        self.signs_until(host, PAST)
    }

    fn signs_until(&self, host: &str, until: &str) -> Signed {
        let (key, document) = new_key();
        let names = tlv(SEQUENCE, &tlv(DNS_NAME, host.as_bytes()));
        let extensions = [extension(BASIC_CONSTRAINTS, &tlv(SEQUENCE, &[])), extension(ALTERNATIVE_NAMES, &names)];
        // Nobody is to look at the common name.
        let certificate = certificate((&self.name, &self.key), ("ignored.example", &key), until, &extensions.concat());
        Signed { certificate, key: pem("PRIVATE KEY", &document) }
    }
}

/// A key, and the same as PKCS #8 has it.
fn new_key() -> (EcdsaKeyPair, Vec<u8>) {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("a key");
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random);
    (key.expect("the same key"), document.as_ref().to_vec())
}

/// A certificate for `subject` that `issuer` has signed.
fn certificate(
    issuer: (&str, &EcdsaKeyPair),
    subject: (&str, &EcdsaKeyPair),
    until: &str,
    extensions: &[u8],
) -> String {
    let random = SystemRandom::new();
    let algorithm = tlv(SEQUENCE, &tlv(OBJECT, ECDSA_WITH_SHA256));
    let of_key = tlv(SEQUENCE, &[tlv(OBJECT, PUBLIC_KEY), tlv(OBJECT, P256)].concat());
    let signed = [
        tlv(VERSION, &tlv(INTEGER, &[2])),
        // One for each key: a client may not see two certificates of one issuer and number.
        tlv(INTEGER, &[&[1], &subject.1.public_key().as_ref()[1..9]].concat()),
        algorithm.clone(),
        name(issuer.0),
        tlv(SEQUENCE, &[tlv(UTC_TIME, FROM.as_bytes()), tlv(UTC_TIME, until.as_bytes())].concat()),
        name(subject.0),
        tlv(SEQUENCE, &[of_key, bits(subject.1.public_key().as_ref())].concat()),
        tlv(EXTENSIONS, &tlv(SEQUENCE, extensions)),
    ];
    let signed = tlv(SEQUENCE, &signed.concat());
    let signature = issuer.1.sign(&random, &signed).expect("a signature");
    pem("CERTIFICATE", &tlv(SEQUENCE, &[signed, algorithm, bits(signature.as_ref())].concat()))
}

fn extension(object: &[u8], value: &[u8]) -> Vec<u8> {
    tlv(SEQUENCE, &[tlv(OBJECT, object), tlv(OCTET_STRING, value)].concat())
}

fn name(common: &str) -> Vec<u8> {
    let common = tlv(SEQUENCE, &[tlv(OBJECT, COMMON_NAME), tlv(UTF8, common.as_bytes())].concat());
    tlv(SEQUENCE, &tlv(SET, &common))
}

/// Whole bytes as a string of bits.
fn bits(bytes: &[u8]) -> Vec<u8> {
    tlv(BIT_STRING, &[&[0], bytes].concat())
}

/// A value with its tag and length.
fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).expect("a short value").to_be_bytes();
    let head = match length {
        [0, short @ 0..0x80] => vec![tag, short],
        [0, short] => vec![tag, 0x81, short],
        [high, low] => vec![tag, 0x82, high, low],
    };
    [&head, value].concat()
}

fn pem(what: &str, der: &[u8]) -> String {
    let text = base64::encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
    format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", lines.join("\n"))
}
