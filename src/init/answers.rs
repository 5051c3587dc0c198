//! What `init` needs to know. The answers are checked by making a file of them and reading it with
//! the parser that `run` uses.

use lakefront_operators::s3::address::SCHEMES;
use lakefront_operators::shown;

use crate::cli::{FormatArg, InitArgs, ModeArg};
use crate::{config, pipeline};

/// What the file will contain. Texts are as they stand in it, and not secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answers {
    pub(crate) source: String,
    pub(crate) format: FormatArg,
    pub(crate) mode: ModeArg,
    pub(crate) lake: String,
    pub(crate) account: Option<String>,
    pub(crate) pipeline: String,
}

/// The part of the answers that a complaint is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Source,
    Lake,
    Account,
    Pipeline,
}

impl Answers {
    /// What the flags say, and defaults for the rest.
    pub(super) fn of(args: &InitArgs) -> Answers {
        let text = |flag: &Option<String>, default: &str| flag.clone().unwrap_or_else(|| default.to_owned());
        let mut answers = Answers {
            source: text(&args.source, "file:logs/"),
            format: args.format.unwrap_or(FormatArg::Azure),
            mode: args.mode.unwrap_or(ModeArg::Backfill),
            lake: text(&args.lake, "file:lake"),
            account: args.account.clone(),
            pipeline: text(&args.pipeline, "pg-logs"),
        };
        // Pipelines of one name would take each other for themselves.
        if let (None, Some(folder)) = (&args.pipeline, args.dir.file_name().and_then(|name| name.to_str())) {
            let named = Answers { pipeline: folder.to_owned(), ..answers.clone() };
            if named.complaint(Field::Pipeline).is_none() {
                answers = named;
            }
        }
        answers
    }

    /// What is wrong with one answer, whatever else is wrong. A secret in it is not repeated.
    pub(super) fn complaint(&self, field: Field) -> Option<String> {
        let key = match field {
            Field::Source => "source.url",
            Field::Lake => "lake.root",
            Field::Account if is_azure(&self.source) => "source.azure.account",
            Field::Account => "lake.azure.account",
            Field::Pipeline => "pipeline",
        };
        let url = match field {
            Field::Source => self.source.as_str(),
            Field::Lake => self.lake.as_str(),
            Field::Account | Field::Pipeline => "",
        };
        if shown::without_secrets(url) != url {
            let advice = match is_s3(url) {
                true => {
                    "it carries a key or a signature, which must not be in a file: give the bucket and the folder alone, as in \
                     s3://bucket/folder, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment"
                }
                false => {
                    "it carries a signature, which must not be in a file: leave out what follows the question mark, and set \
                     AZURE_STORAGE_SAS_TOKEN to it in the environment"
                }
            };
            return Some(advice.to_owned());
        }
        let error = config::parse(&pipeline::template(self), &|name| self.variable(name)).err()?;
        error.about(key).map(str::to_owned)
    }

    /// The environment that the file is checked in. An account's credentials must be known when a
    /// command runs, but need not be known here.
    fn variable(&self, name: &str) -> Option<String> {
        let any = |scheme: &str| self.source.starts_with(scheme) || self.lake.starts_with(scheme);
        match name {
            "AZURE_STORAGE_ACCOUNT" if self.account.is_none() && any("az:") => Some("account".to_owned()),
            "AWS_REGION" if self.lake.starts_with("s3") => Some("us-east-1".to_owned()),
            "AZURE_STORAGE_KEY" if any("http:") => Some("a2V5".to_owned()),
            name if name.starts_with("AZURE_") || name.starts_with("AWS_") => None,
            name => std::env::var(name).ok(),
        }
    }

    /// Whether an account is needed that only the user or the environment can name.
    pub(super) fn needs_account(&self) -> bool {
        self.source.starts_with("az:") || self.lake.starts_with("az:")
    }
}

pub(crate) fn is_azure(url: &str) -> bool {
    url.starts_with("az:") || url.split_once("://").is_some_and(|(scheme, _)| config::AZURE.contains(&scheme))
}

pub(crate) fn is_s3(url: &str) -> bool {
    url.split_once("://").is_some_and(|(scheme, _)| SCHEMES.contains(&scheme))
}
