"""Events as Debezium writes them without schema blocks, of a table of twelve columns."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

PARTITIONS = 4
STATES = ["new", "paid", "shipped", "done"]
EVENT = (
    '{"before":null,"after":{"id":%d,"customer_id":%d,"status":"%s","amount":"%d.%02d","qty":%d,'
    '"note":"note of order %d which is a text","email":"user%d@example.com","active":%s,'
    '"created_at":"2024-01-01T10:00:00.%06dZ","updated_at":"2024-02-01T10:00:00.%06dZ","city":"City %d",'
    '"score":%d},"source":{"version":"3.6.3.Final","connector":"postgresql","name":"cdc","ts_ms":1795245054060,'
    '"snapshot":"%s","db":"shop","sequence":"[null,\\"%d\\"]","ts_us":1795245054060653,'
    '"ts_ns":1795245054060653000,"schema":"public","table":"orders","txId":867,"lsn":%d,"xmin":null},'
    '"transaction":null,"op":"%s","ts_ms":1795245057273}'
)


def values(key: int, number: int) -> tuple:
    """The columns of a row; `number` makes it another one than before."""
    return (
        key, key % 50000, STATES[(key + number) % 4], key % 1000, number % 100, number % 50, key, key % 100000,
        "true" if number % 2 else "false", number % 1000000, number * 7 % 1000000, key % 500, number % 9999,
    )  # fmt: skip


def event(key: int, number: int, operation: str) -> str:
    snapshot, lsn = "true" if operation == "r" else "false", 39332680 + number
    return EVENT % (*values(key, number), snapshot, lsn, lsn, operation)


def create(brokers: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": brokers})
    for made in admin.create_topics([NewTopic(topic, PARTITIONS, 1)]).values():
        made.result()


def produce(brokers: str, topic: str, changes: Iterable[tuple[int, int, str]]) -> int:
    """Writes events; returns the bytes of their values."""
    settings = {"bootstrap.servers": brokers, "linger.ms": 20, "compression.type": "lz4", "acks": "1"}
    producer = Producer({**settings, "queue.buffering.max.messages": 500_000})
    size = 0
    for count, (key, number, operation) in enumerate(changes):
        value = event(key, number, operation)
        size += len(value)
        while True:
            try:
                producer.produce(topic, value=value, key='{"id":%d}' % key, partition=key % PARTITIONS)
                break
            except BufferError:
                producer.poll(0.1)
        if count % 10_000 == 0:
            producer.poll(0)
    producer.flush()
    return size
