//! Names of files that are not logs, or not yet: hidden files, and the names that copying tools use
//! until a file is whole.
//!
//! `rsync` writes `.pg.json.Ab12` and AzCopy `.azDownload-…-PT1H.json` next to the file that they
//! bring, and rename it when it is whole. If it were read under both names, its lines would land
//! twice.

/// Endings of names that are not logs: unfinished or temporary files of editors, browsers, `wget`,
/// Hadoop and copying tools.
const ENDINGS: [&str; 10] =
    ["~", ".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".swp", ".lock"];

/// Folders of the same kind.
const FOLDERS: [&str; 2] = ["_temporary", "lost+found"];

/// Whether one part of a path is the name of a hidden or temporary file or folder.
pub fn is_temporary(part: &str) -> bool {
    part.starts_with('.') || FOLDERS.contains(&part) || ENDINGS.iter().any(|ending| part.ends_with(ending))
}

/// Whether `pattern` itself asks for hidden or temporary files, as `*.tmp` does.
pub fn asks_for_temporary(pattern: &str) -> bool {
    pattern.split('/').any(|part| part.starts_with('.') && part.len() > 1 && part != "..")
        || pattern.split('/').any(is_temporary_pattern)
}

fn is_temporary_pattern(part: &str) -> bool {
    FOLDERS.contains(&part) || ENDINGS.iter().any(|ending| part.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_files_and_files_in_the_making_are_told_from_logs() {
        for name in
            [".pg.json.Ab12", ".azDownload-7a1b-PT1H.json", "pg.json~", "a.json.part", "_temporary", "lost+found"]
        {
            assert!(is_temporary(name), "{name}");
        }
        for name in ["pg.json", "pg.json.1", "PT1H.json", "y=2026", "_SUCCESS", "temporary.json", "part", "a.tmp.json"]
        {
            assert!(!is_temporary(name), "{name}");
        }
    }

    #[test]
    fn a_pattern_may_ask_for_them() {
        assert!(asks_for_temporary("*.tmp") && asks_for_temporary(".hidden/*.json") && asks_for_temporary("a/.x*"));
        assert!(!asks_for_temporary("**/*.json") && !asks_for_temporary("../logs/*") && !asks_for_temporary("./*"));
    }
}
