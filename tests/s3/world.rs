//! A pipeline whose tables lie in a bucket of its own, seen through its own proxy.

use std::fs;
use std::process::Command;

use crate::support::gateway::{KEY_ID, REGION, SECRET};
use crate::support::{Bucket, Ended, Gateway, Pipeline, Proxy, bucket};

/// The lake's folder in the bucket.
pub(crate) const LAKE: &str = "a lake";

/// The pipeline, its bucket, and the proxy between them.
pub(crate) struct World {
    pub(crate) pipeline: Pipeline,
    pub(crate) bucket: Bucket,
    pub(crate) proxy: Proxy,
}

impl World {
    /// `None` where there is no server.
    pub(crate) fn new() -> Option<World> {
        let (mut pipeline, bucket) = (Pipeline::new(), Bucket::create()?);
        let proxy = Proxy::before_s3(Gateway::shared()?.address(), 0);
        pipeline.set("lake", "root", format!("s3://{}/{LAKE}", bucket.name));
        pipeline.set("lake.s3", "endpoint", bucket::endpoint(proxy.address())).set("lake.s3", "region", REGION);
        pipeline.set("lake.s3", "access_key_id", KEY_ID).set("lake.s3", "secret_access_key", SECRET);
        Some(World { pipeline, bucket, proxy })
    }

    /// Forgets what opens the bucket.
    pub(crate) fn without_key(mut self) -> World {
        for key in ["access_key_id", "secret_access_key"] {
            self.pipeline.unset("lake.s3", key);
        }
        self
    }

    /// Runs the binary with these variables. It may say anything, but no secret.
    pub(crate) fn call(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
        let mut command: Command = self.pipeline.command(arguments);
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"] {
            command.env_remove(name);
        }
        command.env("LAKEFRONT_LOG", "trace").envs(environment.iter().copied());
        let ended = self.pipeline.spawn(command).end();
        for secret in [SECRET, &SECRET[..16], "Signature="] {
            assert!(!ended.stdout.contains(secret), "{arguments:?}: {}", ended.stdout);
            let line = ended.stderr.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{arguments:?} shows a secret");
        }
        ended
    }

    /// The tables hold the source exactly. They are judged as files: the bucket's are copied to
    /// where the oracle reads tables.
    #[track_caller]
    pub(crate) fn is_exact(&self) -> String {
        let _ = fs::remove_dir_all(self.pipeline.path("lake"));
        for name in self.bucket.list(LAKE) {
            let below = name.strip_prefix(&format!("{LAKE}/")).expect("its prefix");
            let path = self.pipeline.path("lake").join(below);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, self.bucket.read(&name)).expect("a file of the lake");
        }
        self.pipeline.is_exact()
    }
}
