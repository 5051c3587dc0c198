//! What the user is told about variables, which is never their content.

use expect_test::expect;

use super::check;

#[test]
fn variables_that_cannot_be_resolved() {
    check(
        "lake",
        &[
            "schema = \"${NOWHERE}\"",
            "schema = \"${NOWHERE}-${SECRET}-${ELSEWHERE}\"",
            "schema = \"${}\"",
            "schema = \"${SECRET\"",
            "schema = \"${SECRET:-x}\"",
            "schema = \"${1X}\"",
            "schema = \"$${SECRET}/\"",
        ],
        expect![[r#"
            lake.schema = "${NOWHERE}": the environment variable NOWHERE is not set, or is not UTF-8
            lake.schema = "${NOWHERE}-${SECRET}-${ELSEWHERE}": the environment variable NOWHERE is not set, or is not UTF-8
            lake.schema = "${NOWHERE}-${SECRET}-${ELSEWHERE}": the environment variable ELSEWHERE is not set, or is not UTF-8
            lake.schema = "${}": "${" must be followed by a variable's name and "}"; write "$${" for a plain "${"
            lake.schema = "${SECRET": "${" must be followed by a variable's name and "}"; write "$${" for a plain "${"
            lake.schema = "${SECRET:-x}": "${" must be followed by a variable's name and "}"; write "$${" for a plain "${"
            lake.schema = "${1X}": "${" must be followed by a variable's name and "}"; write "$${" for a plain "${"
            lake.schema = "$${SECRET}/": allowed is a name of 1 to 255 bytes without '/', '\', control characters or percent signs before two hexadecimal digits, not starting with '.' or '_'
        "#]],
    );
    check(
        "roles",
        &["primary = [\"${NOWHERE}\", \"${SECRET}\", \"${ELSEWHERE}\"]"],
        expect![[r#"
            roles.primary = ["${NOWHERE}", "${SECRET}", "${ELSEWHERE}"]: the environment variable NOWHERE is not set, or is not UTF-8
            roles.primary = ["${NOWHERE}", "${SECRET}", "${ELSEWHERE}"]: the environment variable ELSEWHERE is not set, or is not UTF-8
        "#]],
    );
    check(
        "roles.servers",
        &["\"${SECRET}\" = \"primary\""],
        expect![[r#"
            roles.servers."${SECRET}": variables are allowed in values, not in names
        "#]],
    );
}

/// `told` checks that no message contains the secret.
#[test]
fn a_secret_is_never_told() {
    check(
        "",
        &[
            "pipeline = \"${SECRET}/\"",
            "topology = \"${SECRET}\"",
            "workers = \"${SECRET}\"",
            "rows = \"${SECRET}\"",
            "zzz = \"${SECRET}\"",
            "zzz = \"hunter2\"",
        ],
        expect![[r#"
            pipeline = "${SECRET}/": allowed are up to 100 ASCII letters, digits, '.', '_' and '-', a letter or digit first: it becomes a folder and names the transactions in the tables
            topology = "${SECRET}": allowed are "pg_logs", "pg_flush" and "pg_changes"
            workers = "${SECRET}": allowed is a whole number from 1 to 256
            rows = "${SECRET}": allowed is a table, written [rows]
            zzz: unknown key at the top of the file, known keys are commit, disk, http, lake, limits, pipeline, roles, rows, source, tables, topology, workers
            zzz: unknown key at the top of the file, known keys are commit, disk, http, lake, limits, pipeline, roles, rows, source, tables, topology, workers
        "#]],
    );
    check(
        "source",
        &[
            "url = \"az://logs?sig=${SECRET}\"",
            "format = \"${SECRET}\"",
            "state_file = \"file:${SECRET}\"",
            "chunk = \"${SECRET}\"",
            "poll = \"${SECRET}\"",
            "poll = [\"${SECRET}\"]",
            "in_flight = \"${SECRET}\"",
            "url = \"az://logs/?sp=r&sig=hunter2\"",
            "url = \"https://acc1.example/logs?sig=hunter2&sp=${SECRET}\"",
            "url = \"https://x:hunter2@acc1.blob.example/logs\"",
            "url = \"${SIGNED_URL}#\"",
        ],
        expect![[r#"
            source.url = "az://logs?***": an az:// URL has no query: a shared access signature belongs in an https:// URL or in the key sas
            source.format = "${SECRET}": allowed are "azure" and "jsonlog"
            source.state_file = "file:${SECRET}": allowed is the path of a file on this machine, without "file:"
            source.chunk = "${SECRET}": allowed is a size from 1 KiB to 64 MiB, such as "8 MiB", "64 MB" or 4096 for bytes; each chunk in flight holds one buffer of this size
            source.poll = "${SECRET}": allowed is a duration from 10ms to 168h in ms, s, m or h, such as "500ms" or "10s"
            source.poll = ["${SECRET}"]: allowed is a duration from 10ms to 168h in ms, s, m or h, such as "500ms" or "10s"
            source.in_flight = "${SECRET}": allowed is a whole number from 1 to 64
            source.url = "az://logs/?***": an az:// URL has no query: a shared access signature belongs in an https:// URL or in the key sas
            source.url = "https://acc1.example/logs?***": the host must be ACCOUNT.blob.…, where ACCOUNT has 3 to 24 lower case letters and digits; for an IP address or localhost the account is the first folder
            source.url = "https://***@acc1.blob.example/logs": an account is not opened with a user name and password
            source.url = "${SIGNED_URL}#": a URL has no fragment, backslash or control character: write %23 for #
        "#]],
    );
    check(
        "lake",
        &["root = \"${SECRET}\"", "catalog = \"${SECRET}/\""],
        expect![[r#"
            lake.root = "${SECRET}": allowed are file:relative/path, file:/absolute/path, file:///absolute/path, az://container/path and https://ACCOUNT.blob.core.windows.net/container/path; and s3://bucket/path
            lake.catalog = "${SECRET}/": allowed is a name of 1 to 255 bytes without '/', '\', control characters or percent signs before two hexadecimal digits, not starting with '.' or '_'
        "#]],
    );
    check(
        "source.azure",
        &[
            "account = \"${SECRET}!\"",
            "account = \"AccountName=acc1;AccountKey=hunter2A;\"",
            "endpoint = \"https://acc1.blob.example/?sig=hunter2\"",
            "connection_string = \"hunter2\"",
            "connection_string = \"${SECRET}\"",
            "connection_string = \"AccountName=acc2;AccountKey=${SECRET}\"",
            "account_key = \"hunter2!\"",
            "account_key = [\"hunter2\"]",
            "account_key = \"${NOWHERE}\"",
            "sas = \"${KEY}\"",
            "client_secret = \"hunter2\"",
            "client_secret = \"\"",
            "tenant_id = \"${SECRET}!\"",
            "client_id = \"${SECRET}!\"",
            "client_certificate_path = \"file:${SECRET}\"",
            "federated_token_file = \"file:${SECRET}\"",
            "page = \"${SECRET}\"",
            "hour_folders = \"${SECRET}\"",
        ],
        expect![[r#"
            source.azure.account = "${SECRET}!": allowed is an account's name, 3 to 24 lower case letters and digits
            source.azure.account = "AccountName=acc1;AccountKey=***;": allowed is an account's name, 3 to 24 lower case letters and digits
            source.azure.endpoint = "https://acc1.blob.example/?***": an endpoint has no container and no query
            source.azure.connection_string = "***": a connection string is NAME=value;NAME=value
            source.azure.connection_string = "${SECRET}": a connection string is NAME=value;NAME=value
            source.azure.connection_string = "***": an account's key is Base64
            source.azure.account_key = "***": an account's key is Base64
            source.azure.account_key = "***": allowed is a non-empty string
            source.azure.account_key = "${NOWHERE}": the environment variable NOWHERE is not set, or is not UTF-8
            source.azure.sas = "${KEY}": a shared access signature is a URL's query, such as sv=…&sp=rl&sig=…, and has a part sig=
            source.azure.client_secret = "***": needs tenant_id and client_id, here or as AZURE_TENANT_ID and AZURE_CLIENT_ID in the environment
            source.azure.client_secret = "***": allowed is a non-empty string
            source.azure.tenant_id = "${SECRET}!": allowed are letters, digits, '-', '.' and '_'
            source.azure.client_id = "${SECRET}!": allowed are letters, digits, '-', '.' and '_'
            source.azure.client_certificate_path = "file:${SECRET}": allowed is the path of a file on this machine, without "file:"
            source.azure.federated_token_file = "file:${SECRET}": allowed is the path of a file on this machine, without "file:"
            source.azure.page = "${SECRET}": allowed is a whole number from 1 to 5000
            source.azure.page = "${SECRET}": is for Azure sources only, and source.url names files: leave it out
            source.azure.hour_folders = "${SECRET}": allowed is a folder with %Y, %m, %d and %H in it, below the URL's own, or "" for none
            source.azure.hour_folders = "${SECRET}": is for Azure sources only, and source.url names files: leave it out
        "#]],
    );
    check(
        "source.retry",
        &["timeout = \"${SECRET}\""],
        expect![[r#"
        source.retry.timeout = "${SECRET}": allowed is a duration from 10ms to 168h in ms, s, m or h, such as "500ms" or "10s"
        source.retry.timeout = "${SECRET}": is for Azure sources only, and source.url names files: leave it out
    "#]],
    );
    check(
        "tables",
        &["primary = \"${SECRET}\"\nreplica = \"${SECRET}\""],
        expect![[r#"
            tables.replica = "${SECRET}": names the same table as tables.primary: they must differ in more than case; the default is "replica_postgresql_logs"
        "#]],
    );
    check(
        "roles",
        &[
            "primary = [\"${SECRET}\"]\nreplica = [\"${SECRET}\"]",
            "primary = \"${SECRET}\"",
            "servers.x = \"${SECRET}\"",
            "default = \"${SECRET}\"",
        ],
        expect![[r#"
            roles.replica = ["${SECRET}"]: shares a role with roles.primary; a role, in any case, and "*", any role not named, may be in one list only; the defaults are primary = ["Primary", "None"] and replica = ["*"]
            roles.primary = "${SECRET}": allowed is a list of non-empty strings; roles.default is for lines without a role
            roles.servers.x = "${SECRET}": allowed are "primary", "replica" and "reject"
            roles.default = "${SECRET}": allowed are "primary", "replica" and "reject"
        "#]],
    );
    check(
        "limits",
        &["ahead = \"${SECRET}\"", "reject_ratio = \"${SECRET}\""],
        expect![[r#"
            limits.ahead = "${SECRET}": allowed is a size from 1 B to 1 TiB, such as "8 MiB", "64 MB" or 4096 for bytes
            limits.reject_ratio = "${SECRET}": allowed is a number from 0 to 1
        "#]],
    );
}
