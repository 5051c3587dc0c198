//! The roles in lines that the settings do not name, and how many lines have each.
//!
//! They come from the logs, so they may be anything: only a few are kept, each is cut to the length
//! of a plausible role, and characters that could affect a terminal are replaced.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How many different roles are told apart.
const MOST: usize = 32;
/// The lines of all other roles are counted under this name.
const OTHERS: &str = "(others)";
/// How many characters of a role are shown.
const LONGEST: usize = 64;

/// Counts lines by role.
#[derive(Default)]
pub struct UnnamedRoles(Mutex<BTreeMap<String, u64>>);

impl UnnamedRoles {
    /// Adds `lines` with `role`. Returns how the role is shown, if it is new.
    pub(crate) fn saw(&self, role: &str, lines: u64) -> Option<String> {
        let visible = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
        let mut shown: String = role.chars().take(LONGEST).map(visible).collect();
        let mut roles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !roles.contains_key(&shown) && roles.len() >= MOST {
            shown = OTHERS.to_owned();
        }
        let counted = roles.entry(shown.clone()).or_default();
        let is_new = *counted == 0;
        *counted += lines;
        is_new.then_some(shown)
    }

    /// All roles so far, in order.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_is_told_once_and_counted() {
        let roles = UnnamedRoles::default();
        assert_eq!(roles.saw("Master", 2).as_deref(), Some("Master"));
        assert_eq!(roles.saw("Master", 3), None);
        assert_eq!(roles.saw("a\x1b[2J", 1).as_deref(), Some("a\u{fffd}[2J"));
        assert_eq!(roles.counts()["Master"], 5);
    }

    #[test]
    fn roles_that_never_repeat_do_not_fill_the_memory() {
        let roles = UnnamedRoles::default();
        let told = (0..1000).filter(|role| roles.saw(&"x".repeat(*role), 1).is_some()).count();
        assert_eq!((told, roles.counts().len()), (MOST + 1, MOST + 1));
        assert_eq!(roles.counts().values().sum::<u64>(), 1000);
    }
}
