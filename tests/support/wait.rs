//! Waiting: always for a condition, with a pause between two checks, and with a bound that only a
//! hang reaches.

use std::sync::mpsc;
use std::time::{Duration, SystemTime};

/// Between two checks.
const LOOK: Duration = Duration::from_millis(3);
/// A run that takes this many checks hangs: some minutes, far more than the slowest machine needs.
const MOST_LOOKS: u32 = 100_000;

/// Checks until `condition` holds; false if it never does.
pub(crate) fn until(mut condition: impl FnMut() -> bool) -> bool {
    (0..MOST_LOOKS).any(|_| {
        let holds = condition();
        if !holds {
            pause(LOOK);
        }
        holds
    })
}

/// Lets time pass, for tests that are about the passing of time: the instant of a kill, a silence
/// that is observed.
pub(crate) fn pause(time: Duration) {
    let (_open, nobody) = mpsc::channel::<()>();
    let _ = nobody.recv_timeout(time);
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the one place in which tests read the clock")]
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970").as_secs_f64()
}
