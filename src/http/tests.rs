//! Whose requests are answered.

use super::*;

fn is_answered(address: &str, host: Option<&str>) -> bool {
    let mut request = Request::builder();
    if let Some(host) = host {
        request = request.header(header::HOST, host);
    }
    let request = request.body(axum::body::Body::empty()).expect("a request");
    is_for_us(address.parse().expect("an address"), &request)
}

#[test]
fn on_loopback_only_names_of_this_machine_are_answered() {
    for host in ["localhost", "LocalHost:8089", "127.0.0.1:8089", "127.0.0.1:9000", "127.1.2.3", "[::1]:8089"] {
        assert!(is_answered("127.0.0.1:8089", Some(host)), "{host}");
    }
    for host in ["evil.example:8089", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.7", "", "@localhost"]
    {
        assert!(!is_answered("127.0.0.1:8089", Some(host)), "{host}");
        assert!(!is_answered("[::1]:8089", Some(host)), "{host}");
    }
    assert!(!is_answered("127.0.0.1:8089", None));
}

#[test]
fn elsewhere_the_name_is_the_networks() {
    assert!(is_answered("0.0.0.0:8089", Some("lakefront.internal:8089")));
}
