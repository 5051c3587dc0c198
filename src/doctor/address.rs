//! The address at which a run would answer: whether it is free, or a run of this pipeline has it.

use std::io::ErrorKind;
use std::net::TcpListener;

use super::findings::Findings;
use crate::config::Common;
use crate::http;

/// Checks `http.listen`, if there is one.
pub(crate) async fn look(findings: &mut Findings, common: &Common, source: &str) {
    let Some(listen) = common.http.map(|http| http.listen) else { return };
    if http::ask(listen, &common.pipeline, source).await.is_some() {
        return findings.ok("http", format!("a run of this pipeline answers at {listen}"));
    }
    // It is closed again at once.
    match TcpListener::bind(listen) {
        Ok(_) => findings.ok("http", format!("{listen} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            findings.problem("http", format!("another program uses {listen}"), "set http.listen to a free port");
        }
        Err(error) => {
            findings.problem("http", format!("{listen}: {error}"), "set http.listen to an address of this machine");
        }
    }
}
