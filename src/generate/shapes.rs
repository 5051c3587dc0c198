//! What the servers log: kinds of messages, how often each comes, and the parts of them that vary.
//!
//! Texts are filled in once and drawn from a pool, so that a line costs little more than a copy.

use super::random::Random;

/// A kind has this many texts for each unit of its weight.
const TEXTS_PER_WEIGHT: u32 = 100;

/// The servers that log a kind of message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    All,
    Primary,
    Replicas,
}

/// A kind of message. In its texts `<n>`, `<b>`, `<mm>`, `<ms>`, `<port>`, `<word>` and `<name>`
/// vary.
struct Shape {
    weight: u32,
    on: On,
    level: &'static str,
    state: &'static str,
    backend: &'static str,
    message: &'static str,
    detail: &'static str,
    hint: &'static str,
    statement: &'static str,
}

const CLIENT: &str = "client backend";

const LOG: Shape = Shape {
    weight: 1,
    on: On::All,
    level: "LOG",
    state: "00000",
    backend: CLIENT,
    message: "",
    detail: "",
    hint: "",
    statement: "",
};
const ERROR: Shape = Shape { level: "ERROR", ..LOG };

/// A busy server's hour. Most lines are about connections, as on real servers.
const SHAPES: [Shape; 19] = [
    Shape {
        weight: 45,
        backend: "not initialized",
        message: "connection received: host=10.4.<b>.<b> port=<port>",
        ..LOG
    },
    Shape {
        weight: 6,
        message: "connection authorized: user=<name> database=orders application_name=orders-<word> SSL enabled \
                  (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)",
        ..LOG
    },
    Shape {
        weight: 16,
        message: "disconnection: session time: 0:00:<mm>.<ms> user=<name> database=orders host=10.4.<b>.<b> port=<port>",
        ..LOG
    },
    Shape {
        weight: 7,
        message: "duration: <n>.<ms> ms  execute <unnamed>: SELECT o.id, o.total FROM orders o\n\
                  \tWHERE o.customer_id = $1\n\tORDER BY o.created_at DESC LIMIT <b>",
        detail: "Parameters: $1 = '<n>'",
        ..LOG
    },
    Shape {
        weight: 9,
        on: On::Primary,
        message: "duration: <n>.<ms> ms  statement: UPDATE <word> SET total = total + <b>.<mm> WHERE id = <n>",
        ..LOG
    },
    Shape {
        weight: 9,
        on: On::Replicas,
        message: "duration: <n>.<ms> ms  statement: SELECT count(*), '顧客<b>' AS 名前 FROM <word> WHERE total > <n>",
        ..LOG
    },
    Shape {
        weight: 4,
        on: On::Primary,
        state: "23505",
        message: "duplicate key value violates unique constraint \"<word>_pkey\"",
        detail: "Key (id)=(<n>) already exists.",
        statement: "INSERT INTO <word>(id, total) VALUES ($1, $2)",
        ..ERROR
    },
    Shape {
        weight: 4,
        on: On::Replicas,
        state: "40001",
        message: "canceling statement due to conflict with recovery",
        detail: "User query might have needed to see row versions that must be removed.",
        statement: "SELECT count(*) FROM <word>",
        ..ERROR
    },
    Shape {
        weight: 3,
        level: "FATAL",
        state: "28P01",
        message: "password authentication failed for user \"<name>\"",
        detail: "Connection matched file \"/datadrive/pg/data/pg_hba.conf\" line <mm>: \"hostssl all all 0.0.0.0/0 scram-sha-256\"",
        ..LOG
    },
    Shape {
        weight: 3,
        state: "42601",
        message: "syntax error at or near \"<word>\" at character <b>",
        hint: "Check the spelling.",
        statement: "SELECT *\n  FORM <word>\n WHERE note = '漢字 <b>'",
        ..ERROR
    },
    Shape {
        on: On::Primary,
        backend: "checkpointer",
        message: "checkpoint complete: wrote <n> buffers (<mm>.6%); 0 WAL file(s) added, 0 removed, 1 recycled; write=<b>.<ms> s, \
                  sync=0.011 s, total=<b>.<ms> s; sync files=<b>, longest=0.004 s, average=0.001 s; distance=<n> kB, \
                  estimate=<n> kB; lsn=1A/<n>, redo lsn=1A/<n>",
        ..LOG
    },
    Shape {
        on: On::Primary,
        backend: "autovacuum worker",
        message: "automatic vacuum of table \"orders.public.<word>\": index scans: 0\npages: 0 removed, <n> remain, <b> scanned \
                  (<mm>.42% of total)\ntuples: <b> removed, <n> remain, 0 are dead but not yet removable\nsystem usage: CPU: \
                  user: 0.<ms> s, system: 0.<ms> s, elapsed: <b>.<mm> s",
        ..LOG
    },
    Shape {
        on: On::Replicas,
        backend: "checkpointer",
        message: "restartpoint complete: wrote <n> buffers (<mm>.1%); 0 WAL file(s) added, 0 removed, 2 recycled; write=<b>.<ms> s, \
                  sync=0.002 s, total=<b>.<ms> s; distance=<n> kB, estimate=<n> kB; lsn=1A/<n>, redo lsn=1A/<n>",
        ..LOG
    },
    Shape {
        on: On::Replicas,
        backend: "walreceiver",
        message: "started streaming WAL from primary at 1A/<n> on timeline 3",
        ..LOG
    },
    Shape {
        on: On::Primary,
        backend: "walsender",
        message: "received replication command: START_REPLICATION SLOT \"orders_uat_pg_ro1\" PHYSICAL 1A/<n> TIMELINE 3",
        ..LOG
    },
    Shape {
        weight: 4,
        message: "AUDIT: SESSION,<b>,1,WRITE,UPDATE,TABLE,public.<word>,\"UPDATE <word> SET note = \
                  'café ☃ 😀 \\\\ \"\"q\"\"' WHERE id = <n>\",<not logged>",
        ..LOG
    },
    Shape {
        weight: 2,
        level: "WARNING",
        state: "25001",
        message: "there is already a transaction in progress in job C:\\jobs\\<word>\\<n>",
        ..LOG
    },
    Shape {
        weight: 6,
        message: "temporary file: path \"base/pgsql_tmp/pgsql_tmp<n>.<b>\", size <n>",
        detail: "The sort of table \"<word>\" did not fit in work_mem.",
        ..LOG
    },
    Shape {
        weight: 2,
        on: On::Primary,
        message: "process <n> still waiting for ShareLock on transaction <n> after 1000.<ms> ms",
        detail: "Process holding the lock: <n>. Wait queue: <n>, <n>.",
        statement: "UPDATE <word> SET stock = stock - 1\n WHERE name = 'Größe <mm>'",
        ..LOG
    },
];

const WORDS: [&str; 10] =
    ["orders", "customers", "order_lines", "invoices", "api", "worker", "płatności", "FORM", "stock", "events"];
const NAMES: [&str; 6] = ["orders_app", "orders_app", "bi_reader", "josé", "admin@contoso", "分析"];

/// The content of one line; texts are escaped for JSON.
pub(super) struct Said {
    pub(super) level: &'static str,
    pub(super) state: &'static str,
    pub(super) backend: &'static str,
    pub(super) message: String,
    pub(super) detail: Option<String>,
    pub(super) hint: Option<String>,
    pub(super) statement: Option<String>,
}

impl Said {
    /// Whether a client's session logged it.
    pub(super) fn by_client(&self) -> bool {
        self.backend == CLIENT
    }
}

/// The messages of a primary, or of a replica, in proportion to their weights.
pub(super) fn said(primary: bool, random: &mut Random) -> Vec<Said> {
    let silent = if primary { On::Replicas } else { On::Primary };
    let mut all = Vec::new();
    for shape in SHAPES.iter().filter(|shape| shape.on != silent) {
        for _ in 0..shape.weight * TEXTS_PER_WEIGHT {
            let mut optional = |text: &str| (!text.is_empty()).then(|| filled(text, random));
            let (detail, hint, statement) = (optional(shape.detail), optional(shape.hint), optional(shape.statement));
            let message = filled(shape.message, random);
            let Shape { level, state, backend, .. } = *shape;
            all.push(Said { level, state, backend, message, detail, hint, statement });
        }
    }
    all
}

/// `text` with its varying parts filled in, escaped for JSON. Other text in angle brackets stays.
fn filled(text: &str, random: &mut Random) -> String {
    let mut filled = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        filled.push_str(&rest[..start]);
        let end = rest[start..].find('>').map_or(rest.len(), |length| start + length + 1);
        match &rest[start..end] {
            "<n>" => filled.push_str(&random.between(10_000, 10_000_000).to_string()),
            "<b>" => filled.push_str(&random.between(1, 250).to_string()),
            "<mm>" => filled.push_str(&format!("{:02}", random.between(0, 60))),
            "<ms>" => filled.push_str(&format!("{:03}", random.between(0, 1000))),
            "<port>" => filled.push_str(&random.between(32_768, 61_000).to_string()),
            "<word>" => filled.push_str(random.word(&WORDS)),
            "<name>" => filled.push_str(random.word(&NAMES)),
            other => filled.push_str(other),
        }
        rest = &rest[end..];
    }
    filled.push_str(rest);
    let quoted = serde_json::Value::from(filled).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_varies_is_filled_in() {
        let mut random = Random::new(1);
        for said in said(true, &mut random).into_iter().chain(said(false, &mut random)) {
            let texts = [Some(said.message), said.detail, said.hint, said.statement];
            for text in texts.into_iter().flatten() {
                let text = text.replace("<unnamed>", "").replace("<not logged>", "");
                assert!(!text.contains(['<', '\n']), "{text}");
            }
        }
    }
}
