//! Lines as PostgreSQL's own `jsonlog` writes them. They do not name the server that wrote them,
//! because a file belongs to one server.

use super::azure::put;
use super::random::Random;
use super::shapes::{self, Said};
use crate::moment::Second;

const APPLICATIONS: [&str; 4] = ["orders-api", "orders-worker", "metabase", "psql"];

/// Texts of the primary, and texts of replicas, already rendered.
pub(super) struct Jsonlog {
    pools: [Vec<Text>; 2],
}

/// A message, from the severity on.
struct Text {
    by_client: bool,
    said: String,
}

impl Jsonlog {
    pub(super) fn new(random: &mut Random) -> Jsonlog {
        let mut pool = |primary| shapes::said(primary, random).iter().map(text).collect();
        Jsonlog { pools: [pool(true), pool(false)] }
    }

    /// Appends a line of the primary, or of a replica, without its newline, written `ms` into
    /// `second`.
    pub(super) fn line(&self, out: &mut Vec<u8>, primary: bool, second: &Second, ms: u32, random: &mut Random) {
        let text = random.pick(&self.pools[usize::from(!primary)]);
        let (pid, number) = (random.between(20_000, 22_000), random.between(1, 500));
        let Second { unix, date, time } = second;
        put(out, format_args!("{{\"timestamp\":\"{date} {time}.{ms:03} UTC\""));
        if text.by_client {
            let (host, port) = (random.between(1, 250), random.between(32_768, 61_000));
            put(out, format_args!(",\"user\":\"orders_app\",\"dbname\":\"orders\",\"pid\":{pid}"));
            put(out, format_args!(",\"remote_host\":\"10.4.2.{host}\",\"remote_port\":{port}"));
        } else {
            put(out, format_args!(",\"pid\":{pid}"));
        }
        put(out, format_args!(",\"session_id\":\"{unix:x}.{pid:x}\",\"line_num\":{number}"));
        put(
            out,
            format_args!(
                ",\"session_start\":\"{date} {time} UTC\",\"vxid\":\"5/{number}\",\"txid\":{}",
                pid * 40 + number
            ),
        );
        out.extend_from_slice(text.said.as_bytes());
        if text.by_client {
            put(out, format_args!(",\"application_name\":\"{}\"", random.pick(&APPLICATIONS)));
            put(
                out,
                format_args!(",\"backend_type\":\"client backend\",\"query_id\":{}}}", random.next().cast_signed()),
            );
        }
    }
}

fn text(said: &Said) -> Text {
    let Said { level, state, backend, message, .. } = said;
    let optional =
        |key: &str, text: &Option<String>| text.as_ref().map_or(String::new(), |text| format!(",\"{key}\":\"{text}\""));
    let mut line = format!(",\"error_severity\":\"{level}\"");
    // PostgreSQL leaves out the code for success.
    if *state != "00000" {
        line.push_str(&format!(",\"state_code\":\"{state}\""));
    }
    line.push_str(&format!(",\"message\":\"{message}\""));
    line.push_str(&optional("detail", &said.detail));
    line.push_str(&optional("hint", &said.hint));
    line.push_str(&optional("statement", &said.statement));
    if !said.by_client() {
        line.push_str(&format!(",\"backend_type\":\"{backend}\",\"query_id\":0}}"));
    }
    Text { by_client: said.by_client(), said: line }
}
