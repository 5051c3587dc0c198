#!/usr/bin/env python3
"""`pg_changes` beside a bare consumer and delta-rs' MERGE, on a Kafka of its own.

    cargo build --release && python3 benches/changes/run.py

- load: a snapshot of very many rows of twelve columns into an empty table; beside a consumer that
  reads the same records and drops them, which is the limit; in turn
- merge: updates of random keys in a table that is there, by a run that starts for them and by one
  that is up; beside delta-rs' MERGE of the same rows into an equal table without a change feed. How
  many bytes each has written
- upserts: a steady stream of updates of random keys, in small cuts, in tables of two sizes: what a
  second of them costs, and whether that grows with the table
- restart: how long a run takes that finds nothing new, in the larger table, with the index that the
  one before has kept, and without; and how large that index is
- visible: a steady rate of updates, and how long each takes from its record in Kafka to the commit
  that has it, by the files of the table

Broker and tools share the machine. Ratios are of runs in turn; times mean little while something
else uses the cores.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))

from packages import python_with  # noqa: E402

ROOT = HERE.parent.parent
REQUIREMENTS = HERE / "requirements.txt"
TOPIC = "cdc.public.orders"

PIPELINE = """\
pipeline = "bench"
topology = "pg_changes"
workers = {workers}
[source]
brokers = "{brokers}"
topics = "{topic}"
mode = "backfill"
state_file = "{place}/state/bench.offset.json"
[lake]
root = "file:{place}/lake"
catalog = "shop"
[tables]
metadata = {metadata}
[commit]
interval = "{interval}"
rows = {rows}
"""


@dataclass
class Sample:
    """One run of one tool. CPU seconds are user and system."""

    wall_s: float
    cpu_s: float = 0.0
    peak_mib: float = 0.0
    written_mib: float = 0.0
    report: dict = field(default_factory=dict)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def measured(command: list[str], log: Path) -> Sample:
    started = time.monotonic()
    with log.with_suffix(".out").open("wb") as out, log.with_suffix(".log").open("wb") as err:
        child = subprocess.Popen(command, stdout=out, stderr=err)
        _, status, usage = os.wait4(child.pid, 0)
    wall, child.returncode = time.monotonic() - started, os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{command[0]} ended with exit code {child.returncode}:\n{log.with_suffix('.log').read_text()[-3000:]}")
    printed = log.with_suffix(".out").read_text() or "{}"
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, report=json.loads(printed))


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


class Ours:
    """A lake of ours, and its pipeline."""

    def __init__(
        self,
        args: argparse.Namespace,
        brokers: str,
        topic: str,
        *,
        interval: str = "10s",
        rows: int = 250_000,
        metadata: bool = False,
    ):
        self.args, self.place = args, args.place / "ours"
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(parents=True)
        self.file = self.place / "bench.toml"
        settings = {"workers": args.workers, "brokers": brokers, "topic": topic, "place": self.place}
        settings["metadata"] = str(metadata).lower()
        self.file.write_text(PIPELINE.format(**settings, interval=interval, rows=rows))
        self.table = self.place / "lake/shop/public/orders"
        self.index = self.place / "state/bench.index"

    def run(self) -> Sample:
        before = size_of(self.table)
        sample = measured([str(self.args.binary), "run", str(self.file), "--json"], self.place / "run")
        sample.written_mib = (size_of(self.table) - before) / (1 << 20)
        return sample

    def tail(self) -> subprocess.Popen:
        """A run that stays up; returns once it has claimed its tables."""
        command = [str(self.args.binary), "run", str(self.file), "--mode", "tail"]
        log = self.place / "tail.log"
        with log.open("wb") as err:
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=err)
        while "claimed the tables" not in log.read_text():
            if child.poll() is not None:
                sys.exit(f"the run has ended:\n{log.read_text()[-3000:]}")
            time.sleep(0.01)
        return child

    def versions(self) -> dict[int, Path]:
        """The commits of the table, by version."""
        return {int(file.stem): file for file in (self.table / "_delta_log").glob("*.json") if file.stem.isdigit()}

    def next_commit(self, known: int) -> Path:
        """The first commit after `known` that adds rows."""
        while True:
            for version, file in sorted(self.versions().items()):
                if version > known and '"add"' in file.read_text():
                    return file
            time.sleep(0.002)

    def held(self) -> int:
        from deltalake import DeltaTable, QueryBuilder

        query = QueryBuilder().register("t", DeltaTable(str(self.table))).execute("select count(*) as n from t")
        return query.read_all()["n"][0].as_py()


def consume(brokers: str, topic: str, count: int) -> Sample:
    """A consumer that drops what it reads, in a process of its own."""
    program = (
        "import sys; from confluent_kafka import Consumer, TopicPartition as P\n"
        "b, t, n, parts = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])\n"
        "c = Consumer({'bootstrap.servers': b, 'group.id': 'bare', 'enable.auto.commit': False})\n"
        "c.assign([P(t, p, 0) for p in range(parts)]); seen = 0\n"
        "while seen < n: seen += len(c.consume(10000, 1.0))\n"
    )
    from events import PARTITIONS

    log = Path("/tmp") / f"bare-{os.getpid()}"
    return measured([sys.executable, "-c", program, brokers, topic, str(count), str(PARTITIONS)], log)


def load(args: argparse.Namespace, brokers: str) -> tuple[str, dict]:
    import events

    events.create(brokers, TOPIC)
    size = events.produce(brokers, TOPIC, ((key, key, "r") for key in range(args.rows)))
    say(f"{args.rows:,} events of {size // args.rows} bytes")
    samples: dict[str, list[Sample]] = {"lakefront": [], "bare consumer": []}
    for number in range(args.rounds):
        ours = Ours(args, brokers, TOPIC)
        turns: list[tuple[str, Callable[[], Sample]]] = [
            ("lakefront", ours.run),
            ("bare consumer", lambda: consume(brokers, TOPIC, args.rows)),
        ]
        for tool, run in turns[number % 2 :] + turns[: number % 2]:
            samples[tool].append(run())
            taken = samples[tool][-1]
            rate = args.rows / taken.wall_s
            say(f"round {number + 1}: {tool} {taken.wall_s:.2f} s, {rate:,.0f}/s, {taken.cpu_s:.2f} CPU s, {taken.peak_mib:.0f} MiB")
        assert ours.held() == args.rows, "every row once"
    rates = {tool: args.rows / median(one.wall_s for one in all) for tool, all in samples.items()}
    cpu = median(one.cpu_s for one in samples["lakefront"])
    peak = max(one.peak_mib for one in samples["lakefront"])
    text = (
        f"{args.rows:,} rows of 12 columns, {args.workers} workers, medians of {args.rounds}: {rates['lakefront']:,.0f} rows/s, "
        f"{cpu:.1f} CPU s, peak {peak:.0f} MiB; a bare consumer {rates['bare consumer']:,.0f}/s"
    )
    return text, {tool: list(map(asdict, all)) for tool, all in samples.items()}


def updates(seed: int, rows: int, count: int) -> list[tuple[int, int, str]]:
    """Updates of `count` random keys, each of another row than before."""
    keys = random.Random(seed).sample(range(rows), count)
    return [(key, seed * 10_000_019 + at, "u") for at, key in enumerate(keys)]


def merge(args: argparse.Namespace, brokers: str) -> tuple[str, dict]:
    import events
    import pyarrow as pa
    from deltalake import DeltaTable, QueryBuilder, write_deltalake

    topic = f"{TOPIC}.merge"
    events.create(brokers, topic)
    events.produce(brokers, topic, ((key, key, "r") for key in range(args.base)))
    ours = Ours(args, brokers, topic)
    ours.run()
    theirs = args.place / "theirs"
    shutil.rmtree(theirs, ignore_errors=True)
    query = QueryBuilder().register("t", DeltaTable(str(ours.table))).execute("select * from t")
    base = pa.table(query.read_all())
    write_deltalake(str(theirs), base)
    rounds, up = [], []
    for number in range(args.rounds):
        changed = updates(number + 1, args.base, args.cut)
        events.produce(brokers, topic, changed)
        mine = ours.run()
        up.append(while_up(args, brokers, topic, ours, updates(number + 1001, args.base, args.cut)))
        names = base.column_names
        rows = [json.loads(events.event(*one))["after"] for one in changed]
        source = pa.table({name: [row[name] for row in rows] for name in names})
        source = source.cast(base.schema)
        before, started, cpu = size_of(theirs), time.monotonic(), time.process_time()
        merging = DeltaTable(str(theirs)).merge(source, "t.id = s.id", source_alias="s", target_alias="t")
        merging.when_matched_update_all().when_not_matched_insert_all().execute()
        other = Sample(time.monotonic() - started, time.process_time() - cpu)
        other.written_mib = (size_of(theirs) - before) / (1 << 20)
        say(
            f"round {number + 1}: {mine.wall_s:.2f} s, {up[-1]:.2f} s of a run that is up, {mine.written_mib:.1f} MiB; MERGE "
            f"{other.wall_s:.2f} s, {other.written_mib:.1f} MiB"
        )
        rounds.append((mine, other))
    assert ours.held() == args.base, "no row more, and none less"
    faster = [other.wall_s / mine.wall_s for mine, other in rounds]
    written = [mine.written_mib / other.written_mib for mine, other in rounds]
    text = (
        f"{args.cut:,} keys of {args.base:,}, medians of {args.rounds}: {median(m.wall_s for m, _ in rounds):.2f} s from start to end, "
        f"MERGE {median(o.wall_s for _, o in rounds):.2f} s ({median(faster):.1f} ×, {min(faster):.1f}–{max(faster):.1f}); "
        f"{median(written) * 100:.1f} % of its bytes. Of a run that is up, {median(up):.2f} s from the last record to the commit "
        f"({median(other.wall_s / mine for (_, other), mine in zip(rounds, up)):.1f} ×)"
    )
    return text, {"rounds": [[asdict(mine), asdict(other)] for mine, other in rounds], "up": up}


def while_up(args: argparse.Namespace, brokers: str, topic: str, ours: Ours, changed: list) -> float:
    """How long a run that is up takes from the last record of a cut to its commit, in seconds."""
    import events

    text = ours.file.read_text()
    ours.file.write_text(text.replace("rows = 250000", f"rows = {args.cut}").replace("[lake]", 'poll = "10ms"\n[lake]', 1))
    child = ours.tail()
    known = max(ours.versions())
    events.produce(brokers, topic, changed)
    written = time.time()
    took = max(0.0, ours.next_commit(known).stat().st_mtime - written)
    child.terminate()
    child.wait()
    ours.file.write_text(text)
    return took


def upserts(args: argparse.Namespace, brokers: str) -> tuple[str, dict]:
    import events

    told, costs = [], {}
    for rows in (args.base, args.large):
        topic = f"{TOPIC}.of{rows}"
        events.create(brokers, topic)
        events.produce(brokers, topic, ((key, key, "r") for key in range(rows)))
        ours = Ours(args, brokers, topic, rows=args.steady)
        ours.run()
        source = random.Random(7)
        count = args.steady * args.cuts
        events.produce(brokers, topic, ((source.randrange(rows), number, "u") for number in range(count)))
        sample = ours.run()
        lines = [line for line in (ours.place / "run.log").read_text().splitlines() if " landed " in line]
        seconds = [float(line.split("seconds=")[1].split()[0]) for line in lines]
        costs[rows] = sample
        told.append(
            f"{count:,} updates of {rows:,} rows in {len(lines)} cuts: {count / sample.wall_s:,.0f}/s from start to end, "
            f"{sample.cpu_s:.1f} CPU s, peak {sample.peak_mib:.0f} MiB, a cut {median(seconds):.2f} s"
        )
        say(told[-1])
    grows = costs[args.large].wall_s / costs[args.base].wall_s
    told.append(f"the larger table takes {grows:.2f} × as long")
    return "\n".join(told), {str(rows): asdict(sample) for rows, sample in costs.items()}


def restart(args: argparse.Namespace, brokers: str) -> tuple[str, dict]:
    import events

    topic = f"{TOPIC}.restart"
    events.create(brokers, topic)
    events.produce(brokers, topic, ((key, key, "r") for key in range(args.large)))
    ours = Ours(args, brokers, topic)
    ours.run()
    samples: dict[str, list[Sample]] = {"with the index": [], "without": []}
    ours.run()
    kept = size_of(ours.index) / (1 << 20)
    for number in range(args.rounds):
        for how, taken in samples.items():
            if how == "without":
                shutil.rmtree(ours.index)
            taken.append(ours.run())
            say(f"round {number + 1}: {how} {taken[-1].wall_s:.2f} s, {taken[-1].cpu_s:.2f} CPU s, {taken[-1].peak_mib:.0f} MiB")
    warm, cold = (median(one.wall_s for one in taken) for taken in samples.values())
    text = (
        f"{args.large:,} keys, medians of {args.rounds}: a run that finds nothing new takes {warm:.2f} s with the kept index, "
        f"{cold:.2f} s without; the index has {kept:.0f} MiB, {kept * (1 << 20) / args.large:.1f} bytes a key"
    )
    return text, {"kept_mib": kept, **{how: list(map(asdict, taken)) for how, taken in samples.items()}}


def visible(args: argparse.Namespace, brokers: str) -> tuple[str, dict]:
    import events
    import pyarrow.parquet as parquet
    from confluent_kafka import Consumer, TopicPartition

    topic, interval = f"{TOPIC}.visible", 1.0
    events.create(brokers, topic)
    events.produce(brokers, topic, ((key, key, "r") for key in range(args.base)))
    ours = Ours(args, brokers, topic, interval=f"{interval:.0f}s", metadata=True)
    ours.run()
    known, child = max(ours.versions()), ours.tail()
    # No key twice, so that each record is the last of its key and its row says which it is.
    keys = random.Random(5).sample(range(args.base), args.rate * args.seconds)
    tenth = args.rate // 10
    for number in range(args.seconds * 10):
        due = time.monotonic() + 0.1
        events.produce(brokers, topic, ((key, key + 1, "u") for key in keys[number * tenth : (number + 1) * tenth]))
        time.sleep(max(0.0, due - time.monotonic()))
    time.sleep(interval + 5)
    child.terminate()
    child.wait()
    written: dict[tuple[int, int], float] = {}
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "times", "enable.auto.commit": False})
    begins = [args.base // events.PARTITIONS] * events.PARTITIONS
    consumer.assign([TopicPartition(topic, at, begin) for at, begin in enumerate(begins)])
    while len(written) < len(keys):
        for message in consumer.consume(10_000, 1.0):
            written[(message.partition(), message.offset())] = message.timestamp()[1] / 1000
    consumer.close()
    took = []
    for version, commit in ours.versions().items():
        if version <= known:
            continue
        adds = [json.loads(line)["add"]["path"] for line in commit.read_text().splitlines() if line.startswith('{"add"')]
        # The action also gives files with dead rows their vectors; those rows are older.
        for path in adds:
            rows = parquet.read_table(ours.table / path, columns=["_partition", "_offset"]).to_pydict()
            for place in zip(rows["_partition"], rows["_offset"]):
                if place in written:
                    took.append(commit.stat().st_mtime - written.pop(place))
    assert not written, f"{len(written)} records are in no commit"
    took.sort()
    half, most = took[len(took) // 2], took[len(took) * 99 // 100]
    text = (
        f"{args.rate:,} updates a second of {args.base:,} rows for {args.seconds} s, commit.interval {interval:.0f} s: from the "
        f"record to the commit {half:.2f} s at the median, {most:.2f} s at the 99th percentile, {took[-1]:.2f} s at most"
    )
    return text, {"median_s": half, "p99_s": most, "max_s": took[-1]}


PARTS: dict[str, Callable[[argparse.Namespace, str], tuple[str, dict]]] = {
    "load": load,
    "merge": merge,
    "upserts": upserts,
    "restart": restart,
    "visible": visible,
}


def in_venv(venv: Path) -> None:
    """Goes on in a virtual environment with exactly the locked packages."""
    if Path(sys.prefix) != venv:
        python = python_with(REQUIREMENTS, venv)
        os.execv(python, [str(python), str(HERE / "run.py"), *sys.argv[1:]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--binary", type=Path, default=target / "release/lakefront")
    parser.add_argument("--place", type=Path, default=target / "bench-changes", help="a folder on a disk with room")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=2_000_000, help="of load")
    parser.add_argument("--base", type=int, default=1_000_000, help="rows of a table that is changed")
    parser.add_argument("--large", type=int, default=5_000_000, help="rows of the larger one")
    parser.add_argument("--cut", type=int, default=10_000, help="keys of merge")
    parser.add_argument("--steady", type=int, default=250_000, help="updates of a cut of upserts")
    parser.add_argument("--cuts", type=int, default=4, help="cuts of upserts")
    parser.add_argument("--rate", type=int, default=5_000, help="updates a second of visible")
    parser.add_argument("--seconds", type=int, default=20, help="of visible")
    args = parser.parse_args()
    if unknown := [part for part in args.parts if part not in PARTS]:
        parser.error(f"there is no part {unknown[0]!r}: {', '.join(PARTS)}")
    args.place = args.place.resolve()
    args.place.mkdir(parents=True, exist_ok=True)
    in_venv(args.place / "venv")
    from broker import Broker

    results = {}
    with Broker(args.place) as broker:
        for part in args.parts or PARTS:
            text, results[part] = PARTS[part](args, broker.brokers)
            print(f"{part}: {text}", flush=True)
    (args.place / "results.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
