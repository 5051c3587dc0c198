//! Numbers, sizes and times have bounds, alone and together.

use super::*;

#[test]
fn sizes_durations_and_ratios_have_bounds() {
    check(
        "source",
        &[
            "chunk = \"1 B\"",
            "chunk = \"65 MiB\"",
            "chunk = \"8 mib\"",
            "chunk = -1",
            "chunk = 1e6",
            "max_line = 1023",
            "max_line = \"1 GiB\"",
            "poll = 10",
            "poll = \"10\"",
            "poll = \"9ms\"",
            "poll = false",
        ],
        expect![[r#"
            source.chunk = "1 B": allowed is a size from 1 KiB to 64 MiB, such as "8 MiB", "64 MB" or 4096 for bytes; each chunk in flight holds one buffer of this size
            source.chunk = "65 MiB": allowed is a size from 1 KiB to 64 MiB, such as "8 MiB", "64 MB" or 4096 for bytes; each chunk in flight holds one buffer of this size
            source.chunk = "8 mib": allowed is a size from 1 KiB to 64 MiB, such as "8 MiB", "64 MB" or 4096 for bytes; each chunk in flight holds one buffer of this size
            source.chunk = -1: allowed is a size from 1 KiB to 64 MiB, such as "8 MiB", "64 MB" or 4096 for bytes; each chunk in flight holds one buffer of this size
            source.chunk = 1000000.0: allowed is a size from 1 KiB to 64 MiB, such as "8 MiB", "64 MB" or 4096 for bytes; each chunk in flight holds one buffer of this size
            source.max_line = 1023: allowed is a size from 1 KiB to 256 MiB, such as "8 MiB", "64 MB" or 4096 for bytes; a line is held in memory whole
            source.max_line = "1 GiB": allowed is a size from 1 KiB to 256 MiB, such as "8 MiB", "64 MB" or 4096 for bytes; a line is held in memory whole
            source.poll = 10: a duration needs a unit, ms, s, m or h, such as "10s"
            source.poll = "10": allowed is a duration from 10ms to 168h in ms, s, m or h, such as "500ms" or "10s"
            source.poll = "9ms": allowed is a duration from 10ms to 168h in ms, s, m or h, such as "500ms" or "10s"
            source.poll = false: allowed is a duration from 10ms to 168h in ms, s, m or h, such as "500ms" or "10s"
        "#]],
    );
    check(
        "commit",
        &["bytes = 0", "bytes = \"2 TiB\""],
        expect![[r#"
            commit.bytes = 0: allowed is a size from 1 B to 1 TiB, such as "8 MiB", "64 MB" or 4096 for bytes
            commit.bytes = "2 TiB": allowed is a size from 1 B to 1 TiB, such as "8 MiB", "64 MB" or 4096 for bytes
        "#]],
    );
    check(
        "commit",
        &["interval = 0.5", "interval = \"1ms\"", "interval = \"169h\""],
        expect![[r#"
            commit.interval = 0.5: a duration needs a unit, ms, s, m or h, such as "10s"
            commit.interval = "1ms": allowed is a duration from 10ms to 168h in ms, s, m or h, such as "500ms" or "10s"
            commit.interval = "169h": allowed is a duration from 10ms to 168h in ms, s, m or h, such as "500ms" or "10s"
        "#]],
    );
    check(
        "limits",
        &["ahead = \"all\"", "ahead = \"4194303 B\""],
        expect![[r#"
            limits.ahead = "all": allowed is a size from 1 B to 1 TiB, such as "8 MiB", "64 MB" or 4096 for bytes
            limits.ahead = "4194303 B": must be at least source.chunk, by default 4 MiB, for Azure 8 MiB, or no chunk can ever be read
        "#]],
    );
    check(
        "limits",
        &["reject_ratio = 1.1", "reject_ratio = -1", "reject_ratio = nan", "reject_ratio = \"50%\""],
        expect![[r#"
            limits.reject_ratio = 1.1: allowed is a number from 0 to 1
            limits.reject_ratio = -1: allowed is a number from 0 to 1
            limits.reject_ratio = NaN: allowed is a number from 0 to 1
            limits.reject_ratio = "50%": allowed is a number from 0 to 1
        "#]],
    );
}

#[test]
fn disks_are_cleaned_where_nothing_of_the_run_lies() {
    check(
        "disk",
        &[
            "min_free = -1",
            "min_free = \"2 TiB\"",
            "on_low = \"wait\"",
            "clean = \"/var/tmp\"",
            "clean = [\"/var/tmp\"]",
            "clean = [{ older_than = \"1h\" }]",
            "clean = [{ dir = \"\" }]",
            "clean = [{ dir = \"/var/../tmp\" }]",
            "clean = [{ dir = \"/var/tmp\", older = \"1h\" }]",
            "clean = [{ dir = \"/var/tmp\", older_than = \"10ms\" }]",
            "clean = [{ dir = \"${MISSING}\" }]",
        ],
        expect![[r#"
            disk.min_free = -1: allowed is a size from 0 B to 1 TiB, such as "8 MiB", "64 MB" or 4096 for bytes
            disk.min_free = "2 TiB": allowed is a size from 0 B to 1 TiB, such as "8 MiB", "64 MB" or 4096 for bytes
            disk.on_low = "wait": allowed are "stop" and "pause"
            disk.clean = "/var/tmp": allowed is a list such as [{ dir = "/var/tmp/old", older_than = "1h" }], each dir a path without ".." and each older_than from 1s to 8760h
            disk.clean = ["/var/tmp"]: allowed is a list such as [{ dir = "/var/tmp/old", older_than = "1h" }], each dir a path without ".." and each older_than from 1s to 8760h
            disk.clean = [{ … }]: allowed is a list such as [{ dir = "/var/tmp/old", older_than = "1h" }], each dir a path without ".." and each older_than from 1s to 8760h
            disk.clean = [{ … }]: allowed is a list such as [{ dir = "/var/tmp/old", older_than = "1h" }], each dir a path without ".." and each older_than from 1s to 8760h
            disk.clean = [{ … }]: allowed is a list such as [{ dir = "/var/tmp/old", older_than = "1h" }], each dir a path without ".." and each older_than from 1s to 8760h
            disk.clean = [{ … }]: allowed is a list such as [{ dir = "/var/tmp/old", older_than = "1h" }], each dir a path without ".." and each older_than from 1s to 8760h
            disk.clean = [{ … }]: allowed is a list such as [{ dir = "/var/tmp/old", older_than = "1h" }], each dir a path without ".." and each older_than from 1s to 8760h
            disk.clean = [{ … }]: the environment variable MISSING is not set, or is not UTF-8
        "#]],
    );
    check(
        "disk",
        &[
            "clean = [{ dir = \"/\" }]",
            "clean = [{ dir = \".\" }]",
            "clean = [{ dir = \"/var/tmp\" }, { dir = \"lake\" }]",
            "clean = [{ dir = \"lake/lakehouse\" }]",
            "clean = [{ dir = \"state\" }]",
            "clean = [{ dir = \"data/logs/2026\" }]",
        ],
        expect![[r#"
            disk.clean = [{ … }]: no dir may contain or lie in lake.root, source.url or the folder of source.state_file: old files there would be deleted
            disk.clean = [{ … }]: no dir may contain or lie in lake.root, source.url or the folder of source.state_file: old files there would be deleted
            disk.clean = [{ … }, { … }]: no dir may contain or lie in lake.root, source.url or the folder of source.state_file: old files there would be deleted
            disk.clean = [{ … }]: no dir may contain or lie in lake.root, source.url or the folder of source.state_file: old files there would be deleted
            disk.clean = [{ … }]: no dir may contain or lie in lake.root, source.url or the folder of source.state_file: old files there would be deleted
            disk.clean = [{ … }]: no dir may contain or lie in lake.root, source.url or the folder of source.state_file: old files there would be deleted
        "#]],
    );
    let glob = with("source", "url = \"file:data/**/*.json\"");
    good(&(glob.clone() + "\n[disk]\nclean = [{ dir = \"others\" }]"));
    told(&(glob + "\n[disk]\nclean = [{ dir = \"data/old\" }]"));
}

#[test]
fn memory_holds_the_least_of_everything() {
    check(
        "limits",
        &["memory = 0", "memory = \"64 MiB\""],
        expect![[r#"
            limits.memory = 0: allowed is a size from 1 B to 1 TiB, such as "8 MiB", "64 MB" or 4096 for bytes
            limits.memory = "64 MiB": must be at least 618 MiB: 167 MiB for each worker, 256 MiB for a line of source.max_line, the rest for a chunk and open files; raise it, lower workers, source.max_line or source.chunk, or leave it out for a limit that fits them
        "#]],
    );
    let large = with("source", "max_line = \"256 MiB\"");
    assert_eq!(good(&large).common.memory, None, "what fits is found");
    expect![[r#"limits.memory = "1 GiB": must be at least 4458 MiB: 167 MiB for each worker, 4096 MiB for a line of source.max_line, the rest for a chunk and open files; raise it, lower workers, source.max_line or source.chunk, or leave it out for a limit that fits them"#]].assert_eq(&told(&(large + "\n[limits]\nmemory = \"1 GiB\"")));
    let config = good(&(LEAST.to_owned() + "\n[limits]\nmemory = \"700 MiB\""));
    let told = config.with_workers(3).map(drop).expect_err("three need more than two").to_string();
    expect!["limits.memory: must be at least 796 MiB: 167 MiB for each worker, 256 MiB for a line of source.max_line, the rest for a chunk and open files; raise it, lower workers, source.max_line or source.chunk, or leave it out for a limit that fits them"].assert_eq(&told);
}

#[test]
fn one_chunk_fits_ahead_of_the_tables() {
    let text = with("source", "chunk = \"2 KiB\"");
    assert_eq!(logs_of(good(&(text.clone() + "\n[limits]\nahead = 2048"))).ahead, 2048);
    expect!["limits.ahead = 2047: must be at least source.chunk, by default 4 MiB, for Azure 8 MiB, or no chunk can ever be read"]
        .assert_eq(&told(&(text + "\n[limits]\nahead = 2047")));
}
