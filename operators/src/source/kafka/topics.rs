//! Which topics are read: names, and patterns that new topics may match.

use globset::GlobMatcher;

use crate::glob;

/// The topics that are read.
#[derive(Clone, Debug)]
pub struct Topics {
    /// Topics that must be there.
    pub(super) names: Vec<String>,
    patterns: Vec<GlobMatcher>,
    /// A topic that may come later.
    pub(super) later: Option<String>,
}

/// What makes a text a pattern. No topic's name has any of it: names have letters, digits, `.`, `_`
/// and `-`.
const GLOB: [char; 4] = ['*', '?', '[', '{'];

/// The longest name that Kafka allows, in bytes.
const LONGEST: usize = 249;

impl Topics {
    /// Takes names and patterns; in a pattern, `*` stands for any letters, dots too.
    ///
    /// # Errors
    /// What is wrong with the first that is neither.
    pub fn parse<S: AsRef<str>>(texts: &[S]) -> Result<Topics, String> {
        let mut topics = Topics { names: Vec::new(), patterns: Vec::new(), later: None };
        if texts.is_empty() {
            return Err("names no topic".to_owned());
        }
        for text in texts.iter().map(AsRef::as_ref) {
            if text.contains(GLOB) {
                let pattern = glob::compile(text).map_err(|error| format!("has a pattern that is none: {error}"))?;
                topics.patterns.push(pattern);
            } else if is_name(text) {
                topics.names.push(text.to_owned());
            } else {
                return Err(format!(
                    "has {text:?}, which can be no topic: allowed are up to {LONGEST} letters, digits, '.', '_' and '-', \
                     or a pattern such as \"cdc.public.*\""
                ));
            }
        }
        Ok(topics)
    }

    /// The same, and one more that need not be there yet.
    pub fn and_later(self, name: String) -> Topics {
        Topics { later: Some(name), ..self }
    }

    /// Whether there are patterns, so that all topics must be listed.
    pub(super) fn has_patterns(&self) -> bool {
        !self.patterns.is_empty()
    }

    /// Whether a topic of this name is read.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.iter().chain(&self.later).any(|one| one == name)
            || self.patterns.iter().any(|pattern| pattern.is_match(name))
    }
}

/// Whether Kafka allows a topic of this name.
fn is_name(text: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !text.is_empty() && text.len() <= LONGEST && !matches!(text, "." | "..") && text.chars().all(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_patterns_choose_topics() {
        let topics = Topics::parse(&["orders", "cdc.public.*"]).expect("topics");
        assert!(topics.has_patterns() && topics.names == ["orders"]);
        let has: Vec<bool> = ["orders", "orders2", "cdc.public.a", "cdc.public.a.b", "cdc.private.a"]
            .map(|name| topics.has(name))
            .into();
        assert_eq!(has, [true, false, true, true, false]);
    }

    #[test]
    fn what_can_be_no_topic_is_refused() {
        for text in ["", ".", "a/b", "ä", "a b", &"x".repeat(250), "[a"] {
            assert!(Topics::parse(&[text]).is_err(), "{text}");
        }
        assert!(Topics::parse::<&str>(&[]).is_err());
    }
}
