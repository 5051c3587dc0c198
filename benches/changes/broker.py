"""Kafka with one broker, for as long as a measurement takes. Its jars are those of the tests."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
STACK = ROOT / "tests/kafka/stack"
PATIENCE_S = 60


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Broker:
    """It is stopped, and forgets everything, at the end of a `with`."""

    def __init__(self, place: Path) -> None:
        self.place, self.jars = place / "kafka", place / "kafka-jars"
        self.port, self.controller = free_port(), free_port()
        self.brokers = f"127.0.0.1:{self.port}"
        self.process: subprocess.Popen | None = None

    def java(self, *arguments: str) -> list[str]:
        log = f"-Dlog4j2.configurationFile={STACK / 'log4j2.properties'}"
        return ["java", "-Xms256m", "-Xmx768m", log, "-cp", f"{self.jars}/*", *arguments]

    def __enter__(self) -> Broker:
        if not self.jars.is_dir():
            fetch = ["mvn", "-q", "-B", "-f", STACK / "pom.xml", "dependency:copy-dependencies"]
            subprocess.run([*fetch, f"-DoutputDirectory={self.jars}"], check=True)
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(parents=True)
        settings = self.place / "server.properties"
        settings.write_text(
            "process.roles=broker,controller\nnode.id=1\n"
            f"controller.quorum.voters=1@127.0.0.1:{self.controller}\n"
            f"listeners=PLAINTEXT://{self.brokers},CONTROLLER://127.0.0.1:{self.controller}\n"
            f"advertised.listeners=PLAINTEXT://{self.brokers}\ncontroller.listener.names=CONTROLLER\n"
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
            f"log.dirs={self.place / 'data'}\noffsets.topic.replication.factor=1\n"
            "transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n"
        )
        made = self.java("kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", str(settings))
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
        log = (self.place / "log").open("wb")
        self.process = subprocess.Popen(self.java("kafka.Kafka", str(settings)), stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                if time.monotonic() > deadline:
                    raise SystemExit(f"Kafka does not start: {self.place / 'log'}") from None
                time.sleep(0.2)

    def __exit__(self, *_: object) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.place, ignore_errors=True)
