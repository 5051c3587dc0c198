//! The manifests: valid by the API's schema, and consistent in port, paths, names and the pipeline
//! file.

use std::fs;

use serde_json::{Value, json};

use crate::support::Pipeline;
use crate::{lint, linted, repository};

struct Manifests(Vec<Value>);

impl Manifests {
    fn read() -> Manifests {
        let Value::Array(manifests) = linted("kubernetes", "deploy/kubernetes") else { panic!("it is a list") };
        Manifests(manifests)
    }

    fn of_kind(&self, kind: &str) -> &Value {
        let mut these = self.0.iter().filter(|manifest| manifest["kind"] == kind);
        let this = these.next().unwrap_or_else(|| panic!("there is a {kind}"));
        assert!(these.next().is_none(), "one {kind}");
        this
    }

    fn container(&self) -> &Value {
        &self.of_kind("StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    }

    /// The path that the container is started with, and the pipeline file at that path.
    fn pipeline_file(&self) -> (String, String) {
        let path = self.container()["args"][1].as_str().expect("a path");
        let (folder, name) = path.rsplit_once('/').expect("a folder and a name");
        let mounts = self.container()["volumeMounts"].as_array().expect("mounts");
        assert!(mounts.iter().any(|mount| mount["name"] == "config" && mount["mountPath"] == folder));
        let text = self.of_kind("ConfigMap")["data"][name].as_str().expect("the file that args name");
        (path.to_owned(), text.to_owned())
    }

    fn listens_on(&self) -> u64 {
        let (_, file) = self.pipeline_file();
        let listen = file.lines().find_map(|line| line.strip_prefix("listen = \"")).expect("an address");
        let (host, port) = listen.split('"').next().and_then(|address| address.split_once(':')).expect("host and port");
        assert_eq!(host, "0.0.0.0", "probes come from outside the pod");
        port.parse().expect("a port")
    }
}

#[test]
fn probes_and_ports_are_those_of_the_pipeline_file() {
    let manifests = Manifests::read();
    let port = manifests.listens_on();
    let container = manifests.container();
    assert_eq!(container["ports"], json!([{"name": "http", "containerPort": port}]));
    let probes = ["livenessProbe", "startupProbe", "readinessProbe"];
    let paths = probes.map(|probe| {
        assert_eq!(container[probe]["httpGet"]["port"], "http", "{probe}");
        container[probe]["httpGet"]["path"].as_str().expect("a path").to_owned()
    });
    assert_eq!(paths, ["/health/live", "/health/live", "/health/ready"]);
    assert_eq!(manifests.of_kind("Service")["spec"]["ports"][0]["port"], port);
    assert_eq!(manifests.of_kind("NetworkPolicy")["spec"]["ingress"][0]["ports"], json!([{"port": "http"}]));
    let annotations = &manifests.of_kind("StatefulSet")["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(annotations["prometheus.io/port"], port.to_string());
}

#[test]
fn the_pipeline_file_is_good() {
    let (_, file) = Manifests::read().pipeline_file();
    let pipeline = Pipeline::new();
    fs::write(pipeline.path("lakefront.toml"), file).expect("a file");
    pipeline.call(&["validate", "lakefront.toml"]).exits_with(0);
}

/// Bytes of a quantity such as `1536Mi` or a size such as `1 GiB`.
fn bytes(text: &str) -> u64 {
    let digits = text.find(|c: char| !c.is_ascii_digit()).expect("a unit");
    let unit = match text[digits..].trim() {
        "Mi" | "MiB" => 1 << 20,
        "Gi" | "GiB" => 1 << 30,
        other => panic!("{other} is no unit here"),
    };
    text[..digits].parse::<u64>().expect("a number") * unit
}

#[test]
fn what_the_run_may_take_is_there() {
    let manifests = Manifests::read();
    let (_, file) = manifests.pipeline_file();
    let file: toml::Table = file.parse().expect("TOML");
    let size = |section: &str, key: &str| bytes(file[section][key].as_str().expect("a size"));
    let quantity = |value: &Value| bytes(value.as_str().expect("a quantity"));
    let container = quantity(&manifests.container()["resources"]["limits"]["memory"]);
    assert!(container >= size("limits", "memory") + (384 << 20), "or the kernel kills a run within its own limit");
    let set = &manifests.of_kind("StatefulSet")["spec"];
    let state = quantity(&set["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"]);
    assert!(state >= 2 * size("disk", "min_free"), "or no run ever begins");
    assert_eq!(file["disk"]["on_low"].as_str(), Some("pause"), "a stopped run is started again, but makes no room");
}

#[test]
fn one_pod_without_rights() {
    let manifests = Manifests::read();
    let set = &manifests.of_kind("StatefulSet")["spec"];
    assert_eq!(set["replicas"], 1, "two would fence each other in turn");
    assert_eq!(set["serviceName"], manifests.of_kind("Service")["metadata"]["name"]);
    let (labels, pod) = (&set["template"]["metadata"]["labels"], &set["template"]["spec"]);
    for selector in [
        &set["selector"]["matchLabels"],
        &manifests.of_kind("Service")["spec"]["selector"],
        &manifests.of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ] {
        assert_eq!(selector, labels, "all mean the same pod");
    }
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    let security = &manifests.container()["securityContext"];
    let expected = json!({
        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
    });
    assert_eq!(*security, expected);
    // The mounts are exactly the pod's volumes. The rest is read-only, so state would have nowhere
    // else to go.
    let names = |list: &Value, key: &str| {
        let mut names: Vec<String> =
            list.as_array().expect("a list").iter().map(|item| item[key].to_string()).collect();
        names.sort();
        names
    };
    let mut volumes = names(&pod["volumes"], "name");
    volumes.extend(
        set["volumeClaimTemplates"].as_array().expect("claims").iter().map(|c| c["metadata"]["name"].to_string()),
    );
    volumes.sort();
    assert_eq!(names(&manifests.container()["volumeMounts"], "name"), volumes);
    let (_, file) = manifests.pipeline_file();
    assert!(file.contains("state_file = \"/var/lib/lakefront/"), "state lies on the claimed volume");
}

#[test]
fn an_unknown_field_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = fs::read_to_string(repository("deploy/kubernetes/statefulset.yaml")).expect("a file");
    fs::write(folder.path().join("a.yaml"), good.replace("failureThreshold", "failureTreshold")).expect("a file");
    let wrong = lint("kubernetes", folder.path()).expect_err("a typing error");
    assert!(wrong.contains("failureTreshold"), "{wrong}");
    fs::write(folder.path().join("a.yaml"), good.replace("  serviceName:", "   serviceName:")).expect("a file");
    assert!(lint("kubernetes", folder.path()).is_err(), "wrong indentation");
}
