//! Kafka Connect with Debezium: a worker of its own for a test, on a free loopback port, in a
//! temporary folder that ends with it. What it must remember is in topics of its broker.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::Value;

use super::daemon::Daemon;
use super::http::{Answer, send};
use super::kafka::{Broker, program};
use super::postgres::free_port;

/// A worker. It is killed, and its folder goes, when dropped; what it has in the broker stays.
pub(crate) struct Connect {
    daemon: Daemon,
    brokers: String,
    port: u16,
}

impl Connect {
    /// Starts one, whose topics are in `broker`.
    pub(crate) fn start(broker: &Broker) -> Connect {
        let daemon = Daemon::new("lakefront-connect-");
        let mut connect = Connect { daemon, brokers: broker.brokers(), port: 0 };
        // Another process may take a free port before the worker does.
        let started = (0..3).any(|_| {
            connect.port = free_port();
            connect.launch()
        });
        assert!(started, "Connect does not start:\n{}", connect.log());
        connect
    }

    fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// A file of its folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.daemon.file(name)
    }

    pub(crate) fn log(&self) -> String {
        self.daemon.log()
    }

    /// Sends a request, with a body if it is not empty. `None` if nobody answers.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Option<Answer> {
        ask(self.address(), method, path, body)
    }

    /// What is at `path`.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, "").expect("Connect answers");
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    fn properties(&self) -> String {
        // Workers over one broker know nothing of each other, and find their own topics again.
        let group = format!("connect-{}", self.port);
        let of_topics: String = ["config", "offset", "status"]
            .map(|of| format!("{of}.storage.topic={group}-{of}\n{of}.storage.replication.factor=1\n"))
            .concat();
        let of_secrets: String = [("file", "File"), ("env", "EnvVar")]
            .map(|(name, class)| {
                format!("config.providers.{name}.class=org.apache.kafka.common.config.provider.{class}ConfigProvider\n")
            })
            .concat();
        format!(
            "bootstrap.servers={}\ngroup.id={group}\nlisteners={}\noffset.storage.partitions=1\n\
             session.timeout.ms=6000\nheartbeat.interval.ms=1000\nscheduled.rebalance.max.delay.ms=0\n\
             status.storage.partitions=1\noffset.flush.interval.ms=500\nconfig.providers=file,env\n\
             plugin.discovery=service_load\nkey.converter=org.apache.kafka.connect.json.JsonConverter\n\
             value.converter=org.apache.kafka.connect.json.JsonConverter\n{of_topics}{of_secrets}",
            self.brokers,
            self.url()
        )
    }

    /// Starts the worker on its port; false if it ends.
    fn launch(&mut self) -> bool {
        fs::write(self.file("connect.properties"), self.properties()).expect("a file");
        let mut command = program("org.apache.kafka.connect.cli.ConnectDistributed");
        command.arg(self.file("connect.properties"));
        let address = self.address();
        // It answers before it has read its topics, but not this.
        self.daemon
            .launch(command, || ask(address, "GET", "/connectors", "").is_some_and(|answer| answer.status == 200))
    }

    /// SIGKILL: what it has not written is lost to it, and nobody hears of it.
    pub(crate) fn kill(&mut self) {
        self.daemon.kill();
    }

    /// Starts it again after a kill, with what the broker has of it.
    pub(crate) fn restart(&mut self) {
        assert!(self.launch(), "Connect does not start again:\n{}", self.log());
    }
}

fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> Option<Answer> {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: connect\r\nConnection: close\r\n");
    let of_body = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    send(address, &(head + &of_body)).ok()
}
