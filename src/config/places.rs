//! Where lines are read and where tables lie: paths on this machine, and addresses in Azure and S3
//! that do not have a credential yet.

use lakefront_operators::azure::address::Address;
use lakefront_operators::{glob, s3};
use toml::Value;

use super::raw::Reading;
use super::values::{is_encoded, is_path};

/// What a URL says by itself, without credentials.
pub(super) enum SourceAddress {
    /// The text after `file:`.
    File(String),
    /// A container and a path in it.
    Azure(Box<Address>),
}

/// Where lines are read.
pub(super) fn source(value: &Value) -> Reading<SourceAddress> {
    let place = place(value)?;
    let path = match &place {
        SourceAddress::File(path) => path,
        SourceAddress::Azure(address) => &address.path,
    };
    match glob::compile(path) {
        Ok(_) => Ok(place),
        Err(_) => Err("is not a glob: close every [ and {".to_owned()),
    }
}

/// The error for a folder in which tables could be created but not read.
const UNREADABLE: &str = "the whole path of a lake must be UTF-8, without backslashes, control characters or percent signs before \
                          two hexadecimal digits: readers of Delta logs would look elsewhere, such as in \"a b\" for \"a%20b\"; name \
                          another folder";

/// What the URL of a lake says by itself, without credentials.
pub(super) enum LakeAddress {
    /// The text after `file:`.
    File(String),
    /// A container and a path in it.
    Azure(Box<Address>),
    /// A bucket and a path in it.
    S3(s3::address::Address),
}

/// Where the tables lie.
pub(super) fn lake(value: &Value) -> Reading<LakeAddress> {
    let mut place = lake_place(value)?;
    let path = match &place {
        // The folders above a relative path are checked too.
        LakeAddress::File(path) => {
            std::path::absolute(path).map_or(path.clone(), |path| path.to_string_lossy().into_owned())
        }
        LakeAddress::Azure(address) => address.path.clone(),
        LakeAddress::S3(address) => address.path.clone(),
    };
    if is_encoded(&path)
        || path.contains(|c: char| c == '\\' || c.is_ascii_control() || c == char::REPLACEMENT_CHARACTER)
    {
        return Err(UNREADABLE.to_owned());
    }
    let path = match &mut place {
        LakeAddress::File(_) => None,
        LakeAddress::Azure(address) => Some(&mut address.path),
        LakeAddress::S3(address) => Some(&mut address.path),
    };
    if let Some(path) = path {
        path.truncate(path.trim_end_matches('/').len());
        if path.contains(['*', '?', '[', '{']) || path.split('/').any(str::is_empty) && !path.is_empty() {
            return Err("a lake is one folder: no glob, and no folder without a name".to_owned());
        }
    }
    Ok(place)
}

/// Where a writer of logs puts them; a path needs no `file:`.
pub(super) fn target(text: &str) -> Reading<SourceAddress> {
    let place = match text.contains("://") || text.starts_with("file:") {
        true => place(&Value::String(text.to_owned()))?,
        false if is_path(text) => SourceAddress::File(text.to_owned()),
        false => return Err(FORMS.to_owned()),
    };
    match &place {
        SourceAddress::Azure(address) if address.path.contains(['*', '?', '[', '{']) => {
            Err("lines go to one blob: no glob".to_owned())
        }
        _ => Ok(place),
    }
}

fn lake_place(value: &Value) -> Reading<LakeAddress> {
    let text = value.as_str().unwrap_or_default();
    if text.split_once("://").is_some_and(|(scheme, _)| s3::address::SCHEMES.contains(&scheme)) {
        return Ok(LakeAddress::S3(s3::address::Address::parse(text)?));
    }
    match place(value) {
        Ok(SourceAddress::File(path)) => Ok(LakeAddress::File(path)),
        Ok(SourceAddress::Azure(address)) => Ok(LakeAddress::Azure(address)),
        Err(constraint) if constraint == FORMS => Err(format!("{FORMS}; and s3://bucket/path")),
        Err(constraint) => Err(constraint),
    }
}

const FORMS: &str = "allowed are file:relative/path, file:/absolute/path, file:///absolute/path, az://container/path and \
                     https://ACCOUNT.blob.core.windows.net/container/path";

/// The schemes of addresses in Azure.
pub(crate) const AZURE: [&str; 7] = ["az", "https", "http", "abfss", "abfs", "wasbs", "wasb"];

fn place(value: &Value) -> Reading<SourceAddress> {
    let text = value.as_str().ok_or(FORMS)?;
    if text.split_once("://").is_some_and(|(scheme, _)| AZURE.contains(&scheme)) {
        return Ok(SourceAddress::Azure(Box::new(Address::parse(text)?)));
    }
    Ok(SourceAddress::File(file_url(text).ok_or(FORMS)?))
}

/// The path of a `file:` URL, taken literally: a percent sign is a percent sign, because names of
/// log files may contain it.
fn file_url(text: &str) -> Option<String> {
    let path = text.strip_prefix("file:")?;
    let path = match path.strip_prefix("//") {
        // Between "//" and the next slash stands a host. Only an empty one is allowed: this
        // machine.
        Some(absolute) if absolute.starts_with('/') => absolute,
        Some(_) => return None,
        None => path,
    };
    is_path(path).then(|| path.to_owned())
}
