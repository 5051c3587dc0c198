//! `lakefront validate`: checks a pipeline file, and with `--connect` the source and the tables behind it. Nothing is written.

use lakefront_operators::sink::delta::{self, Fit};

use crate::cli::ValidateArgs;
use crate::pipeline::Pipeline;
use crate::{config, runtime};

/// Checks a pipeline.
pub(crate) fn validate(args: &ValidateArgs) -> anyhow::Result<()> {
    let config = config::load(&args.file)?;
    if !args.connect {
        println!(
            "{}: the pipeline file is good; --connect looks at the source and the tables too",
            args.file.display()
        );
        return Ok(());
    }
    let pipeline = Pipeline::open(config)?;
    runtime::tokio()?.block_on(connect(&pipeline))
}

async fn connect(pipeline: &Pipeline) -> anyhow::Result<()> {
    let listed = pipeline.source.list().await?;
    let bytes: u64 = listed.iter().map(|file| file.length).sum();
    println!("source   {}: {} files, {bytes} bytes", pipeline.source.identity(), listed.len());
    for spec in &pipeline.tables {
        let place = spec.directory.display();
        match delta::read(&spec.directory, &pipeline.config.pipeline).await? {
            None => println!("table    {}: will be created at {place}", spec.name),
            Some(snapshot) => {
                let widen = match delta::fit(spec, &snapshot)? {
                    Fit::Fits => "",
                    Fit::Widen(_) => ", and missing columns will be added",
                };
                let head = snapshot.state.head.0;
                println!("table    {}: at {place}, version {head}; it fits{widen}", spec.name);
            }
        }
    }
    Ok(())
}
