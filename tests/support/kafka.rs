//! Kafka: a broker of its own for a test, on free loopback ports, in a temporary folder that ends
//! with it. It listens in plain text, where everybody may do everything, and as clusters are
//! secured.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::certificates::Authority;
use super::daemon::Daemon;
use super::java;
use super::postgres::free_port;

/// The user who may do everything, and the one who may do nothing, with the password of both.
pub(crate) const READER: &str = "reader";
pub(crate) const STRANGER: &str = "stranger";
pub(crate) const PASSWORD: &str = "hunter2";

/// The listeners, by their names and protocols.
const LISTENERS: [(&str, &str); 5] =
    [("PLAIN", "PLAINTEXT"), ("TLS", "SSL"), ("MUTUAL", "SSL"), ("SASL", "SASL_SSL"), ("CONTROLLER", "PLAINTEXT")];

/// A broker. It is killed, and forgets everything, when dropped.
pub(crate) struct Broker {
    daemon: Daemon,
    ports: [u16; LISTENERS.len()],
}

fn stack(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/stack").join(name)
}

/// Java with one of Kafka's programs.
pub(super) fn program(class: &str) -> Command {
    java::is_there();
    let jars = java::jars("kafka-jars", &stack("pom.xml"));
    let mut command = Command::new(java::program());
    command.args(["-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    command.arg(format!("-Dlog4j2.configurationFile={}", stack("log4j2.properties").display()));
    command.arg("-cp").arg(jars.join("*")).arg(class).stdin(Stdio::null());
    command
}

impl Broker {
    /// The one that tests of this binary may share, each with topics of its own.
    pub(crate) fn shared() -> &'static Broker {
        static SHARED: OnceLock<Broker> = OnceLock::new();
        SHARED.get_or_init(Broker::start)
    }

    /// Starts a new one.
    pub(crate) fn start() -> Broker {
        let mut broker = Broker { daemon: Daemon::new("lakefront-kafka-"), ports: [0; 5] };
        broker.certify();
        // Another process may take a free port before the broker does.
        let started = (0..3).any(|_| {
            broker.ports = broker.ports.map(|_| free_port());
            broker.format();
            broker.launch()
        });
        assert!(started, "Kafka does not start:\n{}", broker.log());
        broker
    }

    fn port(&self, listener: &str) -> u16 {
        let at = LISTENERS.iter().position(|(name, _)| *name == listener).expect("a listener");
        self.ports[at]
    }

    /// Where everybody may do everything.
    pub(crate) fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port("PLAIN"))
    }

    /// Where clients are encrypted (`TLS`), need a certificate (`MUTUAL`), or a login (`SASL`).
    pub(crate) fn secured(&self, listener: &str) -> String {
        format!("localhost:{}", self.port(listener))
    }

    /// A file of its folder: `ca.pem`, and `client.pem` and `client.key` that it has signed.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.daemon.file(name)
    }

    pub(crate) fn log(&self) -> String {
        self.daemon.log()
    }

    fn certify(&self) {
        let authority = Authority::new("the authority");
        let (server, client) = (authority.signs("localhost"), authority.signs("client"));
        let write = |name: &str, text: &str| fs::write(self.file(name), text).expect("a file");
        write("ca.pem", &authority.pem);
        write("server.pem", &format!("{}{}", server.key, server.certificate));
        write("client.pem", &client.certificate);
        write("client.key", &client.key);
    }

    fn properties(&self) -> String {
        let folder = self.file("");
        let folder = folder.display();
        let listed = |host: &dyn Fn(&str) -> &'static str| {
            let one = |(name, _): &(&str, &str)| format!("{name}://{}:{}", host(name), self.port(name));
            LISTENERS.iter().map(one).collect::<Vec<_>>()
        };
        let host = |name: &str| if name == "PLAIN" { "127.0.0.1" } else { "localhost" };
        let listeners = listed(&|_| "127.0.0.1").join(",");
        // A controller is not advertised.
        let advertised = listed(&host)[..4].join(",");
        let protocols = LISTENERS.map(|(name, protocol)| format!("{name}:{protocol}")).join(",");
        let controller = self.port("CONTROLLER");
        let mut lines = format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners={listeners}\nadvertised.listeners={advertised}\ncontroller.listener.names=CONTROLLER\n\
             listener.security.protocol.map={protocols}\ninter.broker.listener.name=PLAIN\nlog.dirs={folder}/data\n\
             num.partitions=1\noffsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
             transaction.state.log.num.partitions=1\nshare.coordinator.state.topic.replication.factor=1\n\
             share.coordinator.state.topic.min.isr=1\nauto.create.topics.enable=false\n\
             log.cleaner.dedupe.buffer.size=4194304\nlog.cleaner.backoff.ms=100\n\
             log.retention.check.interval.ms=500\nlog.initial.task.delay.ms=500\ngroup.initial.rebalance.delay.ms=0\n\
             authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
             super.users=User:ANONYMOUS;User:{READER};User:CN=ignored.example\n\
             sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n"
        );
        for name in ["tls", "mutual", "sasl"] {
            let wanted = if name == "mutual" { "required" } else { "none" };
            lines += &format!(
                "listener.name.{name}.ssl.keystore.type=PEM\nlistener.name.{name}.ssl.keystore.location={folder}/server.pem\n\
                 listener.name.{name}.ssl.truststore.type=PEM\nlistener.name.{name}.ssl.truststore.location={folder}/ca.pem\n\
                 listener.name.{name}.ssl.client.auth={wanted}\n"
            );
        }
        let modules = "org.apache.kafka.common.security";
        lines += &format!(
            "listener.name.sasl.plain.sasl.jaas.config={modules}.plain.PlainLoginModule required \
             user_{READER}=\"{PASSWORD}\" user_{STRANGER}=\"{PASSWORD}\";\n"
        );
        for number in [256, 512] {
            lines += &format!(
                "listener.name.sasl.scram-sha-{number}.sasl.jaas.config={modules}.scram.ScramLoginModule required;\n"
            );
        }
        lines
    }

    fn format(&self) {
        fs::write(self.file("server.properties"), self.properties()).expect("a file");
        let _ = fs::remove_dir_all(self.file("data"));
        let mut command = program("kafka.tools.StorageTool");
        // Any 16 bytes in base64 name a cluster.
        command.args(["format", "--cluster-id", "bGFrZWZyb250LXRlc3RzAA", "--config"]);
        command.arg(self.file("server.properties"));
        for number in [256, 512] {
            command.args(["--add-scram", &format!("SCRAM-SHA-{number}=[name={READER},password={PASSWORD}]")]);
        }
        let output = command.output().expect("Java");
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "Kafka's folder is not formatted:\n{}", String::from_utf8_lossy(&said));
    }

    /// Starts the broker on its ports; false if it ends.
    fn launch(&mut self) -> bool {
        let mut command = program("kafka.Kafka");
        command.arg(self.file("server.properties"));
        let plain = ("127.0.0.1", self.port("PLAIN"));
        self.daemon.launch(command, || TcpStream::connect(plain).is_ok())
    }

    /// SIGKILL: what it has not written is lost to it, and who it serves hears nothing.
    pub(crate) fn kill(&mut self) {
        self.daemon.kill();
    }

    /// Starts it again after a kill, with what it has on disk.
    pub(crate) fn restart(&mut self) {
        assert!(self.launch(), "Kafka does not start again:\n{}", self.log());
    }
}
