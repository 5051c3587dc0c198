//! The findings, as text for people or as one JSON object.

use lakefront_operators::shown::one_line;
use serde_json::{Value, json};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// It works, but the user should know.
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
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    /// Nothing to do.
    pub(crate) fn ok(&mut self, check: &'static str, found: impl Into<String>) {
        self.push(check, Level::Ok, found.into(), None);
    }

    /// It works, and `advice` makes it better.
    pub(crate) fn warn(&mut self, check: &'static str, found: impl Into<String>, advice: impl Into<String>) {
        self.push(check, Level::Warning, found.into(), Some(advice.into()));
    }

    /// It does not work; `advice` fixes it.
    pub(crate) fn problem(&mut self, check: &'static str, found: impl Into<String>, advice: impl Into<String>) {
        self.push(check, Level::Problem, found.into(), Some(advice.into()));
    }

    /// A problem, unless the same was found before.
    pub(crate) fn problem_once(&mut self, check: &'static str, found: String, advice: &str) {
        if !self.0.iter().any(|known| known.level == Level::Problem && known.found == one_line(&found)) {
            self.problem(check, found, advice);
        }
    }

    /// A problem that takes several lines. It stays as it is, so foreign text in it must be escaped
    /// already.
    pub(crate) fn problem_of_lines(&mut self, check: &'static str, found: String, advice: &str) {
        self.0.push(Finding { check, level: Level::Problem, found, advice: Some(advice.to_owned()) });
    }

    fn push(&mut self, check: &'static str, level: Level, found: String, advice: Option<String>) {
        let advice = advice.map(|advice| one_line(&advice).into_owned());
        self.0.push(Finding { check, level, found: one_line(&found).into_owned(), advice });
    }

    pub(crate) fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|finding| finding.level == level).count()
    }

    pub(crate) fn json(&self) -> Value {
        let finding =
            |f: &Finding| json!({"check": f.check, "level": f.level.word(), "found": f.found, "advice": f.advice});
        let (problems, warnings) = (self.count(Level::Problem), self.count(Level::Warning));
        json!({
            "checks": self.0.iter().map(finding).collect::<Vec<_>>(), "problems": problems, "warnings": warnings,
        })
    }

    pub(crate) fn text(&self) -> String {
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
