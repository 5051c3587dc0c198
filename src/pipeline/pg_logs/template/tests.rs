//! Every file that `init` writes is good, and its comments are true.

use super::*;
use crate::config;

fn all() -> Vec<Answers> {
    let mut all = Vec::new();
    let urls =
        ["file:logs/", "file:/a b/\"c\\d\"/\u{7f}é/*.json", "https://shop.blob.core.windows.net/logs/", "az://logs/x/"];
    for source in urls {
        for lake in ["file:lake", "az://lake/logs", "s3://lake/shop"] {
            for (format, mode) in [(FormatArg::Azure, ModeArg::Tail), (FormatArg::Jsonlog, ModeArg::Backfill)] {
                let account = Some("shop".to_owned()).filter(|_| source.starts_with("az") || lake.starts_with("az"));
                let (source, lake) = (source.to_owned(), lake.to_owned());
                all.push(Answers { source, format, mode, lake, account, pipeline: "shop.logs".to_owned() });
            }
        }
    }
    all
}

fn parsed(text: &str) -> config::Config {
    config::parse(text, &|name| (name == "AWS_REGION").then(|| "eu-west-1".to_owned()))
        .unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// `# key = value` without its leading `# `.
fn uncommented(line: &str) -> &str {
    let key = line.strip_prefix("# ").and_then(|rest| rest.split_once(" = ")).map(|(key, _)| key.trim_end());
    match key {
        Some(key) if key.chars().all(|c| c.is_ascii_lowercase() || c == '_') => &line[2..],
        _ => line,
    }
}

#[test]
fn every_file_is_good_and_says_what_was_answered() {
    for answers in all() {
        let config = parsed(&render(&answers));
        let said = format!("{config:?}");
        assert_eq!(config.common.pipeline, "shop.logs");
        assert!(said.contains("shop") && !said.contains("${"), "{said}");
        let config::Kind::PgLogs(logs) = &config.kind else { panic!("it is of another kind") };
        if let config::SourceUrl::File(path) = &logs.source.url {
            assert_eq!(Some(path.as_str()), answers.source.strip_prefix("file:"));
        }
    }
}

#[test]
fn the_comments_show_the_defaults() {
    for answers in all() {
        let text = render(&answers);
        let shown: String = text.lines().map(|line| format!("{}\n", uncommented(line))).collect();
        assert!(shown.len() + 20 < text.len(), "there are comments to try");
        let (mut one, mut other) = (parsed(&text), parsed(&shown));
        (one.common.workers, other.common.workers) = (1, 1);
        assert_eq!(format!("{one:#?}"), format!("{other:#?}"), "{text}");
    }
}

#[test]
fn no_line_is_too_wide_to_read() {
    let too_wide: Vec<String> = all()
        .iter()
        .flat_map(|a| render(a).lines().filter(|l| l.chars().count() > 140).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(too_wide, Vec::<String>::new());
}
