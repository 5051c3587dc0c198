//! `lakefront validate`: checks a pipeline file and, with `--connect`, the source and the tables it
//! names. Nothing lasting is written.

use lakefront_operators::run::fatal::StopRequest;
use lakefront_operators::shown::one_line;

use crate::cli::ValidateArgs;
use crate::report::print;
use crate::{pipeline, runtime};

/// Checks a pipeline.
pub(crate) fn validate(args: &ValidateArgs) -> anyhow::Result<()> {
    let config = pipeline::load(&args.file)?;
    if !args.connect {
        return print(format!(
            "{}: the pipeline file is good; --connect looks at the source and the tables too\n",
            one_line(&args.file.display().to_string())
        ));
    }
    let pipeline = pipeline::described(config).open(StopRequest::default())?;
    runtime::tokio()?.block_on(pipeline.connect())
}
