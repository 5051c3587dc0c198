//! Which checkpoint a log is read from.

use super::*;

/// What is linked for version 4 of a log of these files.
fn linked(names: &[&str]) -> io::Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let (log, copy) = (folder.path().join("log"), folder.path().join("copy"));
    fs::create_dir(&log)?;
    fs::create_dir(&copy)?;
    for name in names {
        fs::write(log.join(format!("{:0>20}{}", &name[..1], &name[1..])), b"")?;
    }
    let paths = link_log(&log, &copy, Version(4))?;
    let mut short: Vec<String> =
        paths.iter().filter_map(|path| Some(path.file_name()?.to_str()?.get(19..)?.to_owned())).collect();
    short.sort();
    Ok(short)
}

#[test]
fn the_newest_whole_checkpoint_is_the_root() {
    let names = ["0.json", "1.checkpoint.parquet", "2.checkpoint.parquet", "2.json", "3.json", "4.json", "5.json"];
    let wanted = ["2.checkpoint.parquet", "2.json", "3.json", "4.json"];
    assert_eq!(linked(&names).expect("a log with a root"), wanted);
}

#[test]
fn a_checkpoint_in_parts_is_no_root() {
    let part = "3.checkpoint.0000000001.0000000002.parquet";
    let wanted = ["0.json", "1.json", "2.json", part, "3.json", "4.json"];
    assert_eq!(linked(&wanted).expect("a log from its beginning"), wanted);
    assert!(linked(&[part, "3.json", "4.json"]).is_err(), "what came before is lost");
}
