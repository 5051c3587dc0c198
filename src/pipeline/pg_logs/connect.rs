//! What `validate --connect` shows of a `pg_logs` pipeline.

use lakefront_operators::azure::access;
use lakefront_operators::shown::one_line;
use lakefront_operators::sink::delta::{self, Fit};

use super::{Logs, take};
use crate::config::{LakeRoot, SourceUrl};
use crate::doctor::bucket;
use crate::report::print;
use crate::shapes::{self, First};

/// Looks at the source and the tables, and prints what is there.
pub(super) async fn connect(pipeline: &Logs) -> anyhow::Result<()> {
    // Printed at once: if a permission is missing, the next step fails, and this line says why.
    if let SourceUrl::Azure(location) = &pipeline.config.source.url {
        print(format!("access   source: {}\n", access::probe(location).await?))?;
    }
    if let LakeRoot::Azure(location) = &pipeline.config.lake.root {
        print(format!("access   lake: {}\n", access::probe(location).await?))?;
    }
    if let LakeRoot::S3(location) = &pipeline.config.lake.root {
        print(format!(
            "access   lake: {}\n",
            one_line(&bucket::access(location, delta::probe(pipeline.tables.iter())).await?)
        ))?;
    }
    let mut text = String::new();
    let listed = pipeline.source.list().await?.files;
    let bytes: u64 = listed.iter().map(|file| file.length).sum();
    text.push_str(&format!(
        "source   {}: {} files, {bytes} bytes\n",
        one_line(pipeline.source.identity()),
        listed.len()
    ));
    let First { good, bad } = shapes::first(pipeline.source.as_ref(), &listed, &pipeline.config.rows).await;
    good.iter().for_each(|found| text.push_str(&format!("lines    {}\n", one_line(found))));
    bad.iter().for_each(|(found, advice)| text.push_str(&format!("lines    {}; {advice}\n", one_line(found))));
    for spec in &pipeline.tables {
        let (name, at) = (one_line(&spec.name), spec.place.to_string());
        let place = one_line(&at);
        match delta::read(&spec.place, &pipeline.common.pipeline).await? {
            None => text.push_str(&format!("table    {}: will be created at {place}\n", name)),
            Some(snapshot) => {
                let widen = match delta::fit(spec, &snapshot)? {
                    Fit::Fits => "",
                    Fit::Widen(_) => ", and missing columns will be added",
                };
                let head = snapshot.state.head.0;
                text.push_str(&format!("table    {name}: at {place}, version {head}; it fits{widen}\n"));
            }
        }
    }
    print(text)?;
    Ok(take::judge(pipeline).await?)
}
