//! The `[http]` section: whether a run can be watched, where, and what counts as standing still.
//!
//! Promises: nothing listens unless the file names an address, and that is a number, so that no name server decides it.

use std::net::SocketAddr;

use toml::Value;

use super::raw::{Reading, Section};
use super::values::duration;
use super::{HttpConfig, defaults};

/// Reads `[http]`; nothing in it if the file does not have an address.
pub(super) fn http(top: &mut Section<'_>) -> Option<Option<HttpConfig>> {
    let mut section = top.section("http");
    let listen = section.optional("listen", None, |v| address(v).map(Some));
    let stall = section.optional("stall", defaults::STALL, |v| duration(v, defaults::WAIT_ALLOWED));
    if listen == Some(None) && section.given("stall") {
        section.refuse("stall", "is for http.listen, which is not given: give both, or leave it out".to_owned());
    }
    section.finish();
    let (listen, stall) = (listen?, stall?);
    Some(listen.map(|listen| HttpConfig { listen, stall }))
}

/// An address with a port. Port 0 would be another one at every start, which nobody could be told.
fn address(value: &Value) -> Reading<SocketAddr> {
    let address = value.as_str().and_then(|text| text.parse::<SocketAddr>().ok());
    address.filter(|address| address.port() != 0).ok_or_else(|| {
        "allowed is an IP address and a port, such as \"127.0.0.1:8089\" or \"[::1]:8089\"; 127.0.0.1 is this machine \
         alone, 0.0.0.0 everybody who reaches it"
            .to_owned()
    })
}
