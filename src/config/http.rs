//! The `[http]` section: whether and where a run can be watched, and when it counts as stalled.
//!
//! Promises: nothing listens unless the file gives an address, and an address is numeric, so that
//! no name server decides it.

use std::net::SocketAddr;

use toml::Value;

use super::raw::{Reading, Section};
use super::values::duration;
use super::{HttpConfig, defaults};

/// Reads `[http]`; `Some(None)` if the file does not give an address.
pub(super) fn http(top: &mut Section<'_>) -> Option<Option<HttpConfig>> {
    let mut section = top.section("http");
    let listen = section.optional("listen", None, |v| address(v).map(Some));
    let stall = section.optional("stall", defaults::STALL, |v| duration(v, defaults::WAIT_ALLOWED));
    if listen == Some(None) && section.given("stall") {
        section.refuse("stall", "has no effect without http.listen: give both, or leave it out".to_owned());
    }
    section.finish();
    let (listen, stall) = (listen?, stall?);
    Some(listen.map(|listen| HttpConfig { listen, stall }))
}

/// An address with a port. Port 0 is refused: the port would differ at every start, and no client
/// would know it.
fn address(value: &Value) -> Reading<SocketAddr> {
    let address = value.as_str().and_then(|text| text.parse::<SocketAddr>().ok());
    address.filter(|address| address.port() != 0).ok_or_else(|| {
        "allowed is an IP address and a port, such as \"127.0.0.1:8089\" or \"[::1]:8089\"; 127.0.0.1 is for this \
         machine only, 0.0.0.0 for everyone who can reach it"
            .to_owned()
    })
}
