//! The Containerfile: a repeatable build, and an image without root, without a toolchain, and
//! without a shell in the way of signals.

use std::fs;

use crate::{lint, linted, repository};

#[test]
fn it_is_good_and_starts_the_program() {
    let steps = linted("container", "deploy/Containerfile");
    let step = |name: &str| {
        let all = steps.as_array().expect("a list").iter().rev();
        all.clone().find(|step| step["name"] == name).map(|step| step["value"].as_str().expect("words").to_owned())
    };
    assert_eq!(step("ENTRYPOINT").as_deref(), Some("[\"lakefront\"]"));
    // The first stage has the toolchain that the workspace asks for.
    let manifest = fs::read_to_string(repository("Cargo.toml")).expect("a manifest");
    let wanted = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).expect("a version");
    let first = steps[0]["value"].as_str().expect("words");
    assert!(first.starts_with(&format!("rust:{}.", wanted.trim_matches('"'))), "{first}, and Cargo.toml says {wanted}");
}

#[test]
fn each_rule_finds_what_it_is_for() {
    let good = fs::read_to_string(repository("deploy/Containerfile")).expect("a file");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("Containerfile");
    for (old, new, words) in [
        ("FROM debian:12.11-slim", "FROM debian:latest", "name a version"),
        ("USER 65532:65532", "USER root", "the last USER"),
        ("ENTRYPOINT [\"lakefront\"]", "ENTRYPOINT lakefront", "a JSON list"),
        ("COPY . .", "ADD . .", "use COPY"),
        ("--release --locked", "--release", "not with --locked"),
        ("    && rm -rf /var/lib/apt/lists/*", "    && true", "the lists of packages"),
        ("HEALTHCHECK NONE", "ENV AZURE_STORAGE_KEY=a2V5", "a secret would stay"),
    ] {
        assert!(good.contains(old), "{old}");
        fs::write(&path, good.replace(old, new)).expect("a file");
        let wrong = lint("container", &path).expect_err(words);
        assert!(wrong.contains(words), "{wrong}");
    }
}
