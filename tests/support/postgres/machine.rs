//! What the machine has for a server: PostgreSQL's programs, an account other than root's, a port.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The programs that we run; they must be of one version, so of one folder.
const PROGRAMS: [&str; 3] = ["initdb", "postgres", "psql"];
/// Where Debian keeps the programs of each version, outside the PATH.
const DEBIAN: &str = "/usr/lib/postgresql";
/// Whom root lets run the server, because PostgreSQL refuses to be run by root.
const OWNERS: [&str; 2] = ["postgres", "nobody"];

/// Without what the caller's environment says to libpq.
pub(crate) fn without_settings(command: &mut Command) -> &mut Command {
    let names = env::vars_os().map(|(name, _)| name);
    names.filter(|name| name.as_encoded_bytes().starts_with(b"PG")).fold(command, Command::env_remove)
}

/// The folder of PostgreSQL's programs.
pub(crate) fn programs() -> PathBuf {
    let version = |folder: &PathBuf| folder.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let mut versions: Vec<PathBuf> = fs::read_dir(DEBIAN).into_iter().flatten().flatten().map(|e| e.path()).collect();
    versions.sort_by_key(version);
    let newest_first = versions.iter().rev().map(|folder| folder.join("bin"));
    env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .chain(newest_first)
        .find(|folder| PROGRAMS.iter().all(|program| folder.join(program).is_file()))
        .unwrap_or_else(|| panic!("the tests need {PROGRAMS:?}: install PostgreSQL 15 or newer (`postgresql`)"))
}

/// Hands the folder to somebody else than root, and says to which user and group; `None` if we are
/// not root.
pub(crate) fn owner(folder: &Path) -> Option<(u32, u32)> {
    // Who made the folder, which is us.
    if fs::metadata(folder).expect("the folder").uid() != 0 {
        return None;
    }
    let accounts = fs::read_to_string("/etc/passwd").expect("the accounts");
    let ids = |name: &str| {
        let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map_while(|field| field.parse::<u32>().ok());
        Some((numbers.next()?, numbers.next()?))
    };
    let (user, group) = OWNERS.into_iter().find_map(ids).expect("an account that is not root's");
    chown(folder, Some(user), Some(group)).expect("the folder is handed over");
    Some((user, group))
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}
