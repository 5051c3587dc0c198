//! What was found, for people or as one JSON object.

use serde_json::{Value, json};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// It works, but one should know.
    Warning,
    /// A run would fail.
    Problem,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Problem => "problem",
        }
    }
}

struct Finding {
    check: &'static str,
    level: Level,
    found: String,
    advice: Option<String>,
}

/// All findings, in the order in which they were made.
#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    /// Nothing to do.
    pub(super) fn ok(&mut self, check: &'static str, found: impl Into<String>) {
        self.0.push(Finding { check, level: Level::Ok, found: found.into(), advice: None });
    }

    /// It works, and `advice` makes it better.
    pub(super) fn warn(&mut self, check: &'static str, found: impl Into<String>, advice: impl Into<String>) {
        self.0.push(Finding { check, level: Level::Warning, found: found.into(), advice: Some(advice.into()) });
    }

    /// It does not work; `advice` mends it.
    pub(super) fn problem(&mut self, check: &'static str, found: impl Into<String>, advice: impl Into<String>) {
        self.0.push(Finding { check, level: Level::Problem, found: found.into(), advice: Some(advice.into()) });
    }

    pub(super) fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|finding| finding.level == level).count()
    }

    pub(super) fn json(&self) -> Value {
        let finding =
            |f: &Finding| json!({"check": f.check, "level": f.level.word(), "found": f.found, "advice": f.advice});
        let (problems, warnings) = (self.count(Level::Problem), self.count(Level::Warning));
        json!({
            "checks": self.0.iter().map(finding).collect::<Vec<_>>(), "problems": problems, "warnings": warnings,
        })
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for Finding { check, level, found, advice } in &self.0 {
            text.push_str(&format!("{:<9}{check:<10}{found}\n", level.word()));
            if let Some(advice) = advice {
                text.push_str(&format!("{:>19}→ {advice}\n", ""));
            }
        }
        let (problems, warnings) = (self.count(Level::Problem), self.count(Level::Warning));
        text.push_str(&format!("{} checks: problems {problems}, warnings {warnings}\n", self.0.len()));
        text
    }
}
