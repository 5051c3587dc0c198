#!/usr/bin/env python3
"""An independent judge: do the tables hold the source's lines exactly once?

It reads the source files with Python's own JSON reader and the tables with `deltalake`'s own replay
of the log, works out which row or reject every line must have become, and compares. It shares no
code and no constant with lakefront.

    oracle.py --format azure --source logs/ --lake lake/catalog/schema \\
              --primary primary_logs --replica replica_logs --rejects rejected_logs

It prints `exact: primary N, replica N, rejects N` and exits 0; or at most 20 differences, one per
line, and exits 1. Wrong usage exits 2.

Where the rules leave a choice (which of two type errors names a reject, whether `EST` is certain,
how deep JSON may nest), any answer that the rules allow is right: such a line has several verdicts.
Every other line has exactly one.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from decimal import Decimal, DecimalException
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

import pyarrow as pa
from deltalake import DeltaTable

REJECT_RAW_LIMIT = 64 * 1024
MOST_DIFFERENCES = 20
BATCH_ROWS = 1 << 16
# No parser must follow JSON that nests deeper than this: such lines may be rows or rejects.
CERTAIN_DEPTH = 100
# How deep Python's JSON reader can go without running out of stack; deeper lines must be rejects
# here.
DEEPEST = 5_000
INT64 = range(-(1 << 63), 1 << 63)

BOM = b"\xef\xbb\xbf"
# What may stand before a record without being part of it, and what a blank line consists of. In
# both cases there may be byte order marks too.
CONTROL = bytes(range(0x21))
BLANK = b"\0 \t\r"

TIMESTAMP = pa.timestamp("us", tz="UTC")
STRING, INTEGER, TIME = "string", "int64", "timestamp[us, UTC]"
ARROW = {STRING: pa.large_string(), INTEGER: pa.int64(), TIME: TIMESTAMP}

# Column: (key, type). This is the order of the values in a row here; tables may order their columns
# differently.
AZURE_TOP = {
    "time": ("time", TIME),
    "resource_id": ("resourceId", STRING),
    "location": ("location", STRING),
    "category": ("category", STRING),
    "operation_name": ("operationName", STRING),
    "server_type": ("ServerType", STRING),
    "logical_server_name": ("LogicalServerName", STRING),
    "server_version": ("ServerVersion", STRING),
    "server_location": ("ServerLocation", STRING),
    "replica_role": ("ReplicaRole", STRING),
    "original_primary_server_name": ("OriginalPrimaryServerName", STRING),
    "app_image": ("AppImage", STRING),
    "app_type": ("AppType", STRING),
    "app_version": ("AppVersion", STRING),
    "region": ("Region", STRING),
}
AZURE_PROPERTIES = {
    "log_timestamp": ("timestamp", TIME),
    "process_id": ("processId", INTEGER),
    "error_level": ("errorLevel", STRING),
    "sqlerrcode": ("sqlerrcode", STRING),
    "backend_type": ("backend_type", STRING),
    "message": ("message", STRING),
    "detail": ("detail", STRING),
}
JSONLOG_TYPES = {
    TIME: "timestamp session_start",
    INTEGER: "pid remote_port line_num txid internal_position cursor_position file_line_num leader_pid query_id",
    STRING: "user dbname remote_host session_id ps vxid error_severity state_code message detail hint internal_query"
    " context statement func_name file_name application_name backend_type",
}
JSONLOG_TOP = {name: (name, kind) for kind, names in JSONLOG_TYPES.items() for name in names.split()}
# What CloudNativePG records call the keys of jsonlog, if they use another name; None for a key that
# they do not have.
CSVLOG = {
    "timestamp": "log_time", "user": "user_name", "dbname": "database_name", "pid": "process_id", "remote_host": None,
    "remote_port": None, "line_num": "session_line_num", "ps": "command_tag", "session_start": "session_start_time",
    "vxid": "virtual_transaction_id", "txid": "transaction_id", "state_code": "sql_state_code",
    "internal_position": "internal_query_pos", "statement": "query", "cursor_position": "query_pos", "func_name": None,
    "file_name": None, "file_line_num": None,
}  # fmt: skip
FORMATS = {"azure": (AZURE_TOP, AZURE_PROPERTIES), "jsonlog": (JSONLOG_TOP, {})}


# ---- JSON ----------------------------------------------------------------------------------------


class Number(str):
    """A JSON number with a fraction or an exponent, as a text that equal numbers share.

    It never equals an integer.
    """

    text: str


def read_number(text: str) -> Number:
    try:
        number = Number("\0" + str(Decimal(text).normalize()))
    except DecimalException:
        number = Number("\0" + text)
    number.text = text
    return number


class Integer(int):
    """A JSON integer that knows how it was spelled."""

    text: str


def read_integer(text: str) -> Integer:
    number = Integer(text)
    number.text = text
    return number


def refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


# Python's reader keeps the last of duplicate keys, as the rules say. Its only extensions are NaN
# and Infinity.
JSON_READER = json.JSONDecoder(parse_float=read_number, parse_int=read_integer, parse_constant=refuse_constant)
read_json, scan_json = JSON_READER.decode, JSON_READER.raw_decode
write_json = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


@lru_cache(maxsize=1 << 16)
def canonical(text: str | None) -> str | None:
    """A JSON text in the one spelling that equal values share."""
    if text is None:
        return None
    try:
        return write_json(read_json(text))
    except ValueError:
        return f"not JSON: {text}"


def depth(value: object) -> int:
    """How deep a JSON value nests, without recursion."""
    deepest, todo = 0, [(value, 1)]
    while todo:
        value, level = todo.pop()
        deepest = max(deepest, level)
        children = value.values() if type(value) is dict else value if type(value) is list else ()
        todo.extend((child, level + 1) for child in children)
    return deepest


def is_text(value: str) -> bool:
    """False for a string with half a surrogate pair, which JSON can spell and UTF-8 cannot hold."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def record(line: bytes, noise: bytes) -> bytes:
    """The line without the byte order marks and noise before it."""
    while line[:1] and line[:1] in noise or line.startswith(BOM):
        line = line.lstrip(noise).removeprefix(BOM)
    return line


# ---- Times ---------------------------------------------------------------------------------------

CERTAIN_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?: ?(Z|UTC|GMT)| ?([+-]\d\d)(?::?(\d\d))?)", re.ASCII
)
# A local time, and the name of its zone.
LOCAL_TIME = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))? ?([A-Za-z]+)?", re.ASCII)
# The same with everything that readers may treat differently: another case, no zone, an
# abbreviation, a leap second, a comma.
UNCERTAIN_TIME = re.compile(
    r"\s*(\d{4,6})-(\d\d?)-(\d\d?)[Tt ](\d\d?):(\d\d)(?::(\d\d))?(?:[.,](\d*))?"
    r"\s*([A-Za-z]{1,6})?([+-]\d\d?)?(?::?(\d\d))?(?::?(\d\d))?\s*",
    re.ASCII,
)
# Abbreviations that stand for one offset almost everywhere: it is right to convert them, and also
# to refuse them.
ABBREVIATIONS = {
    "": 0, "Z": 0, "UTC": 0, "GMT": 0, "BST": 1, "UCT": 0, "ZULU": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3,
    "MSK": 3, "JST": 9, "KST": 9, "NZST": 12, "NZDT": 13, "AEST": 10, "AEDT": 11, "HST": -10, "AKST": -9, "AKDT": -8,
    "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
}  # fmt: skip
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)
MALFORMED_TIME = "malformed_time"


@lru_cache(maxsize=1 << 10)
def minutes_since_epoch(year: str, month: str, day: str, hour: str, minute: str) -> int:
    start = datetime(int(year), int(month), int(day), int(hour), int(minute), tzinfo=timezone.utc)
    return (start - EPOCH) // timedelta(minutes=1)


def microseconds(parts: tuple, offset_minutes: int) -> int:
    year, month, day, hour, minute, second, fraction = parts
    minutes = minutes_since_epoch(year, month, day, hour, minute) - offset_minutes
    return (minutes * 60 + int(second or 0)) * 1_000_000 + int((fraction or "").ljust(6, "0")[:6])


def zone_minutes(hours: str | None, minutes: str | None) -> int:
    if not hours:
        return 0
    return int(hours) * 60 + (-1 if hours[0] == "-" else 1) * int(minutes or 0)


def read_time(text: str) -> tuple[int | str, ...]:
    """The right readings of a time: microseconds since 1970, or the reject's reason."""
    match = CERTAIN_TIME.fullmatch(text)
    if match:
        *parts, _, hours, minutes = match.groups()
        offset = zone_minutes(hours, minutes)
        if int(parts[5]) < 60 and int(minutes or 0) < 60 and abs(offset) < 16 * 60:
            try:
                return (microseconds(tuple(parts), offset),)
            except ValueError:
                pass
    match = UNCERTAIN_TIME.fullmatch(text)
    if not match:
        return (MALFORMED_TIME,)
    *parts, zone, hours, minutes, _ = match.groups()
    hour_of_zone = ABBREVIATIONS.get((zone or "").upper())
    if hour_of_zone is None or int(parts[5] or 0) > 60:
        return (MALFORMED_TIME,)
    try:
        return (MALFORMED_TIME, microseconds(tuple(parts), hour_of_zone * 60 + zone_minutes(hours, minutes)))
    except ValueError:
        return (MALFORMED_TIME,)


# ---- Lines to rows -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """What a line may have become: a row of `table`, or a reject with one of these reasons."""

    table: str
    row: tuple = ()
    reasons: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Record:
    """One record of a line: its number if there may be several, its bytes, possible verdicts."""

    number: int | None
    raw: bytes
    verdicts: list[Verdict]


# For each key that holds a record: how its value begins, and the only key of a format that may
# stand beside it.
PAYLOADS = {
    "record": ("{", None), "jsonPayload": ("{", "timestamp"), "textPayload": ('"', "timestamp"), "log": ('"', "time"),
}  # fmt: skip
MOST_LAYERS = 4
CONTAINER_LINE = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) F (\{.*)", re.ASCII | re.DOTALL
)
SPACE_OR_COMMA = re.compile(r"[ \t\r\n,]*")


def elements_of(text: str) -> list[str] | None:
    """The texts of the elements of an array, or of a batch of records; None if it is neither."""
    if not text.startswith("["):
        pairs = pairs_of(text)
        if pairs is None or list(pairs) != ["records"] or len(pairs["records"]) != 1:
            return None
        text = pairs["records"][0]
        if not text.startswith("["):
            return None
    try:
        read_json(text)
    except (ValueError, RecursionError):
        return None
    elements, at = [], SPACE_OR_COMMA.match(text, 1).end()
    while text[at] != "]":
        end = scan_json(text, at)[1]
        elements.append(text[at:end])
        at = SPACE_OR_COMMA.match(text, end).end()
    return elements


def pairs_of(text: str) -> dict[str, list[str]] | None:
    """Each key of an object with the texts of all its values.

    None if it is not an object, or a key is not a text.
    """
    text = text.strip(" \t\r\n")
    try:
        if type(read_json(text)) is not dict:
            return None
    except (ValueError, RecursionError):
        return None
    pairs: dict[str, list[str]] = {}
    at = SPACE_OR_COMMA.match(text, 1).end()
    while text[at] != "}":
        key, at = scan_json(text, at)
        if not is_text(key):
            return None
        start = re.compile(r"[ \t\r\n]*:[ \t\r\n]*").match(text, at).end()
        at = scan_json(text, start)[1]
        pairs.setdefault(key, []).append(text[start:at])
        at = SPACE_OR_COMMA.match(text, at).end()
    return pairs


def reject(*reasons: str) -> Verdict:
    return Verdict("rejects", reasons=frozenset(reasons))


class Rules:
    """The row rules of one run: columns, roles and limits."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.top, self.properties = FORMATS[args.format]
        self.columns = {column: kind for column, (_, kind) in (self.top | self.properties).items()}
        self.top_keys = {key for key, _ in self.top.values()} | ({"properties"} if self.properties else set())
        self.envelope = args.envelope
        self.property_keys = {key for key, _ in self.properties.values()}
        self.azure = args.format == "azure"
        self.unknown_keys = args.unknown_keys
        self.max_line = args.max_line
        self.roles = args.roles
        self.zone, self.zones = args.zone, {name: offset_of(text) for name, text in args.zones.items()}
        self.jsonlog_destination = args.jsonlog_destination
        self.sources = [(glob_pattern(glob), table) for glob, table in self.roles["sources"].items()]
        self.csvlog: Rules | None = None
        if args.format == "jsonlog":
            self.csvlog = copy.copy(self)
            # A column without a key stays empty, because no key is called None.
            self.csvlog.top = {column: (CSVLOG.get(key, key), kind) for column, (key, kind) in self.top.items()}
            self.csvlog.top_keys = {key for key, _ in self.csvlog.top.values()}

    def judge(self, source: str, line: bytes) -> list[Record]:
        """What each record of a line, without its newline, may become; none if it is blank."""
        if len(line) > self.max_line:
            return [Record(None, line, [reject("line_too_long")])]
        body = record(line.removesuffix(b"\r"), CONTROL)
        if not record(line, BLANK):
            return []
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return [Record(None, line, [reject("invalid_utf8")])]
        if self.envelope == "none":
            return [Record(None, line, self.judge_text(source, text))]
        trimmed = text.strip(" \t\r\n")
        if trimmed in ("[", "]"):
            return []
        elements = elements_of(trimmed)
        if elements is not None:
            return [
                Record(
                    number,
                    element.encode(),
                    self.judge_record(source, element) if element[0] == "{" else [reject("not_an_object")],
                )
                for number, element in enumerate(elements)
            ]
        container = CONTAINER_LINE.fullmatch(text)
        if container:
            time, stream, content = container.groups()
            beside = {"envelope.time": time, "envelope.stream": stream}
            return [Record(None, line, self.judge_record(source, content, beside, "envelope.log", 1))]
        if trimmed.startswith("{") and trimmed.endswith(","):
            text = trimmed[:-1]
        return [Record(None, line, self.judge_record(source, text))]

    def judge_record(
        self, source: str, text: str, beside: dict | None = None, path: str = "envelope", layers: int = 0
    ) -> list[Verdict]:
        """Judges a text that should be an object: a record, or a wrapper of one.

        `beside` has the keys that stand beside it.
        """
        beside = beside or {}
        found = self.wrapped(text)
        if found is None:
            return self.judge_text(source, text, beside)
        key, content, others = found
        if not is_text(content):
            return [reject("invalid_json")]
        is_clear = self.unknown_keys == "drop" or not any(name.startswith(f"{key}.") for name in others)
        if layers == MOST_LAYERS or not content.lstrip(" \t\r\n").startswith("{") or not is_clear:
            return [reject("unknown_shape")]
        beside = beside | {f"{path}.{name}": value for name, value in others.items()}
        if key == "record" and self.csvlog and "log_time" in (pairs_of(content) or ()):
            return self.csvlog.judge_text(source, content, beside)
        return self.judge_record(source, content, beside, f"{path}.{key}", layers + 1)

    def wrapped(self, text: str) -> tuple[str, str, dict] | None:
        """The key of the record that an object wraps, the record's text, and the other keys.

        None if it wraps none.
        """
        pairs = pairs_of(text)
        if pairs is None:
            return None
        payloads = [(key, value) for key, values in pairs.items() if key in PAYLOADS for value in values]
        if len(payloads) != 1:
            return None
        key, value = payloads[0]
        kind, own_time = PAYLOADS[key]
        if not value.startswith(kind) or (key == "log" and len(pairs.get("stream", ())) != 1):
            return None
        if any(name in self.top_keys and name != own_time for name in pairs):
            return None
        others = {name: read_json(values[-1]) for name, values in pairs.items() if name != key}
        return key, read_json(value) if kind == '"' else value, others

    def judge_text(self, source: str, text: str, beside: dict | None = None) -> list[Verdict]:
        """What a text may become if it is not a wrapper."""
        beside, body = beside or {}, text.encode()
        may_nest_too_deep = body.count(b"[") + body.count(b"{") > CERTAIN_DEPTH
        try:
            value = read_json(text)
        except (ValueError, RecursionError):
            return [reject("invalid_json")]
        may_nest_too_deep = may_nest_too_deep and depth(value) > CERTAIN_DEPTH
        refused = [reject("invalid_json")] if may_nest_too_deep else []
        if type(value) is not dict:
            return refused + [reject("not_an_object")]
        verdicts = refused + self.judge_object(source, value, beside)
        if b"\\u" in body and b"\\ud" in body.lower() and not is_text(repr_text(value)):
            return self.judge_broken_text(verdicts)
        return verdicts

    def judge_broken_text(self, verdicts: list[Verdict]) -> list[Verdict]:
        """Half a surrogate pair cannot be in a column; in `_rest`, which holds raw JSON, it can."""
        kept = [v for v in verdicts if not v.row or all(is_text(cell) for cell in v.row if isinstance(cell, str))]
        return [reject("invalid_json", "wrong_type"), *kept]

    def judge_object(self, source: str, top: dict, beside: dict) -> list[Verdict]:
        properties = top.get("properties") if self.properties else None
        errors: set[str] = set()
        if properties is None:
            properties = {}
        elif type(properties) is not dict:
            errors.add("wrong_type")
            properties = {}
        known = self.top_keys - {"properties"}
        if not errors and known.isdisjoint(top) and self.property_keys.isdisjoint(properties):
            return [reject("unknown_shape")]
        if beside and not errors and self.unknown_keys != "drop" and any(key.startswith("envelope.") for key in top):
            return [reject("unknown_shape")]
        # One cell for every column, then a few choices where a cell has several right readings.
        cells: list = []
        choices: list[tuple[int, tuple]] = []
        for values, columns in ((top, self.top), (properties, self.properties)):
            for key, kind in columns.values():
                value = values.get(key)
                readings = self.in_zone(value) if kind is TIME and type(value) is str else read_cell(value, kind)
                if len(readings) > 1:
                    choices.append((len(cells), readings))
                    cells.append(None)
                elif isinstance(readings[0], Error):
                    errors |= readings[0].reasons
                    cells.append(None)
                else:
                    cells.append(readings[0])

        rests = self.rest(top, properties, beside)
        if self.unknown_keys == "reject" and rests != [None]:
            possible = errors | {r for _, readings in choices for e in readings if isinstance(e, Error) for r in e.reasons}
            return [reject("unknown_key", *possible)]
        if errors:
            return [reject(*errors, *(r for _, rs in choices for e in rs if isinstance(e, Error) for r in e.reasons))]
        if self.unknown_keys == "drop":
            rests = [None]

        verdicts = []
        for picked in product(*(readings for _, readings in choices)):
            refused = [cell for cell in picked if isinstance(cell, Error)]
            if refused:
                verdicts.append(reject(*(reason for cell in refused for reason in cell.reasons)))
                continue
            row = list(cells)
            for (index, _), cell in zip(choices, picked):
                row[index] = cell
            table, reason = self.route(source, top)
            if reason:
                verdicts.append(reject(reason))
            else:
                verdicts.extend(Verdict(table, (*row, rest)) for rest in rests)
        return verdicts

    def in_zone(self, text: str) -> tuple:
        """The readings of a time by the zones in the settings, or as everywhere else."""
        match = LOCAL_TIME.fullmatch(text)
        if not match or (match[3] or "") in ("Z", "UTC", "GMT") or not (self.zone or self.zones):
            return read_cell(text, TIME)
        local, name = datetime.fromisoformat(match[1].replace(" ", "T")), match[3] or ""
        micros = int((match[2] or "").ljust(6, "0")[:6])
        if name in self.zones:
            moments = {(local.replace(tzinfo=timezone(self.zones[name])) - EPOCH) // MICROSECOND}
        elif self.zone is None or isinstance(self.zone, timezone) and name:
            return read_cell(text, TIME)
        else:
            both = [local.replace(tzinfo=self.zone, fold=fold) for fold in (0, 1)]
            # A local time exists in the zone if it converts to UTC and back unchanged.
            shown = [at for at in both if at.astimezone(timezone.utc).astimezone(self.zone).replace(tzinfo=None) == local]
            named = [at for at in shown if not name or at.tzname() == name]
            if name and not named:
                return self.by_name(local, name, micros) or read_cell(text, TIME)
            moments = {(at - EPOCH) // MICROSECOND for at in named}
        return (moments.pop() + micros,) if len(moments) == 1 else (NOT_A_TIME,)

    def by_name(self, local: datetime, name: str, micros: int) -> tuple:
        """Reads a name as the zone's own within a year, unless it has one meaning everywhere."""
        if name in ABBREVIATIONS and name not in ("PDT", "PST", "CDT") or name == "BST":
            return ()
        around = [local.replace(tzinfo=timezone.utc) + week * timedelta(days=7) for week in range(-53, 54)]
        offsets = {at.astimezone(self.zone).utcoffset() for at in around if at.astimezone(self.zone).tzname() == name}
        if len(offsets) != 1:
            return ()
        return ((local.replace(tzinfo=timezone(offsets.pop())) - EPOCH) // MICROSECOND + micros,)

    def rest(self, top: dict, properties: dict, beside: dict) -> list[str | None]:
        """`_rest` in its canonical form.

        A top-level key that is spelled like a property's gets a dot before it, also if it begins
        with dots.
        """
        outer = {self.apart(key): value for key, value in top.items() if key not in self.top_keys} | beside
        inner = {f"properties.{key}": value for key, value in properties.items() if key not in self.property_keys}
        return [write_json(outer | inner)] if outer or inner else [None]

    def apart(self, key: str) -> str:
        return f".{key}" if self.properties and key.lstrip(".").startswith("properties.") else key

    def route(self, source: str, top: dict) -> tuple[str, str | None]:
        """The table, or the reason why there is none."""
        if not self.azure and self.jsonlog_destination:
            return self.jsonlog_destination, None
        by_source = {table for pattern, table in self.sources if pattern.fullmatch(source)}
        if len(by_source) > 1:
            refuse(f"[roles.sources] sends {source!r} to several tables: {', '.join(sorted(by_source))}")
        table = next(iter(by_source), None)
        if table is None and self.azure:
            role = fold(text_of(top.get("ReplicaRole")))
            if role:
                for name in ("primary", "replica"):
                    if role in map(fold, self.roles[name]):
                        return name, None
                for name in ("primary", "replica"):
                    if "*" in self.roles[name]:
                        return name, None
            servers = {fold(name): to for name, to in self.roles["servers"].items()}
            named = (text_of(top.get("LogicalServerName")), server_of(text_of(top.get("resourceId"))))
            table = next((servers[fold(name)] for name in named if fold(name) in servers), self.roles["default"])
            if table == "reject":
                return "rejects", "unknown_role" if role else "no_role"
        table = table or self.roles["default"]
        return (table, None) if table != "reject" else ("rejects", "no_role")


def fold(name: str) -> str:
    """A role or a server in the form that is compared: with ASCII letters in lower case."""
    return "".join(c.lower() if c.isascii() else c for c in name)


def text_of(value: object) -> str:
    """The text of a value in a column; empty if it is not a text."""
    text = read_cell(value, STRING)[0]
    return text if isinstance(text, str) else ""


def server_of(resource: str) -> str:
    """The server that a resource id names, after its provider and its kind."""
    match = re.match(r"(?:.*?/)?microsoft\.dbforpostgresql/[^/]*/([^/]*)", resource, re.ASCII | re.IGNORECASE | re.DOTALL)
    return match[1] if match else ""


@dataclass(frozen=True)
class Error:
    """A value that its column cannot hold."""

    reasons: frozenset[str]


WRONG_TYPE = (Error(frozenset({"wrong_type"})),)
OUT_OF_RANGE = (Error(frozenset({"integer_out_of_range"})),)
NOT_A_TIME = Error(frozenset({MALFORMED_TIME}))


def read_cell(value: object, kind: str) -> tuple:
    """The right readings of a value in a column: nearly always one."""
    if value is None:
        return (None,)
    if kind is INTEGER:
        if type(value) not in (Integer, Number, str):
            return WRONG_TYPE
        return read_whole(value if type(value) is str else value.text)
    if kind is STRING and type(value) in (Integer, Number, bool):
        return (str(value).lower() if type(value) is bool else value.text,)
    if type(value) is not str:  # a Number is not of type str either
        return WRONG_TYPE
    if kind is STRING:
        return (value,)
    return tuple(NOT_A_TIME if reading == MALFORMED_TIME else reading for reading in read_time(value))


JSON_NUMBER = re.compile(r"(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?", re.ASCII)


def read_whole(text: str) -> tuple:
    """The integer value of a JSON number, in quotes or not."""
    match = JSON_NUMBER.fullmatch(text)
    if not match:
        return WRONG_TYPE
    sign, whole, fraction, exponent = match.groups(default="")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return (0,)
    power = int(exponent or 0) - len(fraction)
    if power < 0:
        if digits.rstrip("0") == digits or len(digits) - len(digits.rstrip("0")) < -power:
            return WRONG_TYPE
        digits, power = digits[:power], 0
    if len(digits) + power > 19:
        return OUT_OF_RANGE
    value = int(f"{sign}{digits}") * 10**power
    return (value,) if value in INT64 else OUT_OF_RANGE


def repr_text(value: object) -> str:
    """All text in a JSON value, so that half surrogate pairs show."""
    return json.dumps(value, ensure_ascii=False)


def glob_pattern(glob: str) -> re.Pattern:
    """`**/` matches any folders or none; `*` and `?` stay within one name."""
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(piece, re.escape(piece)) for piece in pieces), re.DOTALL)


# ---- Source --------------------------------------------------------------------------------------


def partitions(args: argparse.Namespace) -> dict[str, Path]:
    """The files to read, by the name that `_source` gives them."""
    found: dict[str, Path] = {}
    if args.source.is_dir():
        for path in sorted(args.source.rglob("*")):
            if path.is_file():
                found[path.relative_to(args.source).as_posix()] = path
    elif args.source.is_file():
        found[args.source.name] = args.source
    else:
        refuse(f"--source: {args.source} is neither a file nor a directory")
    return found | dict(args.alias)


def lines(path: Path, land_unterminated: bool) -> Iterator[tuple[int, bytes]]:
    """Each line's offset and bytes, without its newline.

    Bytes after the last newline are a line only if `land_unterminated` is set and they are an
    object.
    """
    offset = 0
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield offset, line[:-1]
            elif land_unterminated and is_object(line):
                yield offset, line
            offset += len(line)


def is_object(line: bytes) -> bool:
    try:
        return type(read_json(line.removeprefix(BOM).decode())) is dict
    except (ValueError, RecursionError):
        return False


class Rows:
    """Rows on their way into an Arrow table.

    They go a batch at a time, so that memory holds Arrow and not Python objects.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema, self.rows, self.batches = schema, [], []

    def add(self, row: tuple) -> None:
        self.rows.append(row)
        if len(self.rows) == BATCH_ROWS:
            self.flush()

    def flush(self) -> None:
        if self.rows:
            columns = [pa.array(list(cells), field.type) for cells, field in zip(zip(*self.rows), self.schema)]
            self.batches.append(pa.record_batch(columns, schema=self.schema))
            self.rows = []

    def table(self) -> pa.Table:
        self.flush()
        return pa.Table.from_batches(self.batches, self.schema)


REJECT_SCHEMA = pa.schema(
    [
        ("_source", pa.large_string()),
        ("_offset", pa.int64()),
        ("reason", pa.large_string()),
        ("raw", pa.large_binary()),
        ("length", pa.int64()),
        ("_item", pa.int64()),
    ]
)


# ---- Tables --------------------------------------------------------------------------------------

# `_source`, `_offset` and `_item`.
Key = tuple[str, int, int | None]


class Held:
    """What a table holds: its columns, and where each key is."""

    def __init__(self, name: str, path: Path, schema: pa.Schema, extra: dict[str, pa.DataType]) -> None:
        self.name, self.problems, self.rows = name, [], schema.empty_table()
        self.at: dict[Key, int] = {}
        try:
            table = DeltaTable(str(path))
            features = {*(table.protocol().reader_features or ()), *(table.protocol().writer_features or ())}
            data = table.to_pyarrow_table()
        # Whatever the reader says, a table that cannot be read is a difference.
        except Exception as error:
            self.problems.append(f"{name}: could not read the table at {path}: {' '.join(str(error).split())}")
            return
        unreadable = sorted(feature for feature in features if "Ntz" in feature or "variant" in feature)
        if unreadable:
            self.problems.append(f"{name}: the table has features that shut readers out: {', '.join(unreadable)}")
        self.check_columns(data.schema, schema, extra)
        if not self.problems:
            self.rows = data.select(schema.names).cast(schema)
            self.extra = data.select([column for column in extra if column in data.column_names])
            self.find_keys()

    def check_columns(self, held: pa.Schema, wanted: pa.Schema, extra: dict[str, pa.DataType]) -> None:
        for field in [*wanted, *(pa.field(*column) for column in extra.items())]:
            if held.get_field_index(field.name) < 0:
                if field.name != "log_date":
                    self.problems.append(f"{self.name}: column {field.name} is missing")
            elif not same_type(held.field(field.name).type, field.type):
                found = held.field(field.name).type
                self.problems.append(f"{self.name}: column {field.name} is {found}, expected {field.type}")
        for column in held.names:
            if column not in wanted.names and column not in extra:
                self.problems.append(f"{self.name}: column {column} is not expected")

    def find_keys(self) -> None:
        for index, key in enumerate(keys_of(self.rows)):
            if self.at.setdefault(key, index) != index:
                self.problems.append(f"{self.name}: {place(key)} is there more than once")

    def row(self, key: Key) -> tuple | None:
        index = self.at.get(key)
        return None if index is None else tuple(column[index].as_py() for column in self.rows.columns)


def keys_of(rows: pa.Table) -> Iterator[Key]:
    return zip(*(rows[column].to_pylist() for column in ("_source", "_offset", "_item")))


def same_type(held: pa.DataType, wanted: pa.DataType) -> bool:
    """Readers choose the width of strings' offsets; everything else must be as written."""
    wide = {pa.string(): pa.large_string(), pa.string_view(): pa.large_string(),
            pa.binary(): pa.large_binary(), pa.binary_view(): pa.large_binary()}  # fmt: skip
    return wide.get(held, held) == wanted


def place(key: Key) -> str:
    return f"{key[0]}@{key[1]}" + ("" if key[2] is None else f", record {key[2]}")


def in_order(key: Key) -> tuple[str, int, int]:
    """A sort key that also takes what no key should hold: a missing name or offset."""
    return str(key[0]), key[1] or 0, -1 if key[2] is None else key[2]


class Judge:
    """Collects what every table must hold, then compares."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.rules, self.differences = args, Rules(args), []
        rows = [pa.field(column, ARROW[kind]) for column, kind in self.rules.columns.items()]
        keys = [pa.field("_source", pa.large_string()), pa.field("_offset", pa.int64()), pa.field("_item", pa.int64())]
        self.row_schema = pa.schema([*rows, pa.field("_rest", pa.large_string()), *keys])
        schemas = {"primary": self.row_schema, "replica": self.row_schema, "rejects": REJECT_SCHEMA}
        if args.table_only:
            del schemas["rejects"]
        self.expected = {name: Rows(schema) for name, schema in schemas.items()}
        self.held = {}
        for name, schema in schemas.items():
            extra = {"rejected_at": TIMESTAMP, "detail": pa.large_string()} if name == "rejects" else {"log_date": pa.date32()}
            self.held[name] = Held(name, args.lake / getattr(args, name), schema, extra)

    def run(self) -> int:
        for name, path in partitions(self.args).items():
            for offset, line in lines(path, self.args.unterminated == "land"):
                for record in self.rules.judge(name, line):
                    self.expect(name, offset, record)
        counts = []
        for name, rows in self.expected.items():
            expected = rows.table()
            counts.append(f"{name} {expected.num_rows}")
            self.differences += self.held[name].problems
            self.compare(name, expected)
        for difference in self.differences[:MOST_DIFFERENCES]:
            print(difference)
        if len(self.differences) > MOST_DIFFERENCES:
            print(f"and {len(self.differences) - MOST_DIFFERENCES} more differences", file=sys.stderr)
        if not self.differences:
            print(f"exact: {', '.join(counts)}")
        return 1 if self.differences else 0

    def expect(self, source: str, offset: int, record: Record) -> None:
        """Expects what the verdict says; of several, the one that the tables agree with, if any."""
        key = (source, offset, record.number)
        choices = [choice for verdict in record.verdicts for choice in self.rows_of(verdict, key, record.raw)]
        held = (choice for choice in choices if self.holds(*choice, key))
        table, row = choices[0] if len(choices) == 1 else next(held, choices[0])
        if table in self.expected:
            self.expected[table].add(row)

    def rows_of(self, verdict: Verdict, key: Key, raw: bytes) -> list[tuple[str, tuple]]:
        if verdict.table != "rejects":
            return [(verdict.table, (*verdict.row, *key))]
        source, offset, number = key
        limit = self.args.max_line if self.args.raw == "line" else self.args.raw
        kept = raw[: min(limit, REJECT_RAW_LIMIT) if len(raw) > self.args.max_line else limit]
        return [("rejects", (source, offset, reason, kept, len(raw), number)) for reason in sorted(verdict.reasons)]

    def holds(self, table: str, row: tuple, key: Key) -> bool:
        held = self.held[table].row(key) if table in self.held else None
        if held is None:
            return False
        wanted = tuple(
            pa.scalar(cell, field.type).as_py() if is_encodable(cell) else cell
            for cell, field in zip(row, self.held[table].rows.schema)
        )
        if table != "rejects":
            rest = self.row_schema.names.index("_rest")
            held = (*held[:rest], canonical(held[rest]), *held[rest + 1 :])
        return held == wanted

    def compare(self, name: str, expected: pa.Table) -> None:
        held = self.held[name]
        if held.problems and not held.at:
            return
        keys = dict(zip(keys_of(expected), range(len(expected))))
        for key in sorted(keys.keys() - held.at.keys(), key=in_order):
            found = [other.name for other in self.held.values() if key in other.at]
            self.differences.append(f"{name}: {place(key)} is missing{' (found in ' + found[0] + ')' if found else ''}")
        for key in sorted(held.at.keys() - keys.keys(), key=in_order):
            self.differences.append(f"{name}: {place(key)} is not expected")
        common = [key for key in keys if key in held.at]
        wanted = expected.take(pa.array([keys[key] for key in common], pa.int64()))
        there = pa.array([held.at[key] for key in common], pa.int64())
        rows = held.rows.take(there)
        for column in expected.column_names:
            self.compare_column(name, column, common, wanted[column], rows[column])
        self.compare_extra(name, common, wanted, held.extra.take(there))

    def compare_column(self, name: str, column: str, keys: list, wanted: pa.ChunkedArray, held: pa.ChunkedArray) -> None:
        if column == "_rest":
            held = pa.chunked_array([pa.array(map(canonical, held.to_pylist()), pa.large_string())])
        if wanted.equals(held):
            return
        if wanted.type == TIMESTAMP:
            wanted, held = wanted.cast(pa.int64()), held.cast(pa.int64())
        for key, one, other in zip(keys, wanted.to_pylist(), held.to_pylist()):
            if one != other:
                self.differences.append(f"{name}: {place(key)} {column}: expected {short(one)}, holds {short(other)}")

    def compare_extra(self, name: str, keys: list, wanted: pa.Table, extra: pa.Table) -> None:
        """`rejected_at` must be set, and `detail` if one key is to blame.

        `log_date`, if the table has it, must be the day of one of the line's times.
        """
        for column in extra.column_names:
            held = extra[column].to_pylist()
            if column == "rejected_at":
                right = [value is not None for value in held]
            elif column == "detail":
                blames = {"wrong_type", "integer_out_of_range", "malformed_time"}
                right = [(reason not in blames) or ": " in (value or "") for value, reason in zip(held, wanted["reason"].to_pylist())]
            else:
                times = [c for c, kind in self.rules.columns.items() if kind is TIME]
                days = zip(*(wanted[c].cast(pa.date32()).to_pylist() for c in times))
                right = [value in candidates for value, candidates in zip(held, days)]
            for key, value, fine in zip(keys, held, right):
                if not fine:
                    self.differences.append(f"{name}: {place(key)} {column}: holds {short(value)}")


def is_encodable(cell: object) -> bool:
    return not isinstance(cell, str) or is_text(cell)


def short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 120 else f"{text[:100]}... ({len(text)} characters)"


# ---- Command line --------------------------------------------------------------------------------

DEFAULT_ROLES = {"primary": ["Primary", "None"], "replica": ["*"], "default": "reject", "servers": {}, "sources": {}}


def refuse(message: str) -> NoReturn:
    """Ends with the exit code of wrong usage."""
    print(f"oracle.py: {message}", file=sys.stderr)
    end(2)


def end(exit_code: int) -> NoReturn:
    """Ends without sys.exit.

    The table reader's threads now and then abort the process while Python shuts down, after the
    verdict.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


def roles(text: str) -> dict:
    """`[roles]` as a JSON object, or the pipeline file that has it."""
    try:
        given = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(Path(text).read_text()).get("roles", {})
    except (ValueError, OSError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    unknown = given.keys() - DEFAULT_ROLES.keys()
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown keys: {', '.join(sorted(unknown))}")
    return DEFAULT_ROLES | given


def zone(text: str) -> tzinfo:
    offset = re.fullmatch(r"[+-]\d\d(:?\d\d)?", text)
    return timezone(offset_of(text)) if offset else ZoneInfo(text)


def offset_of(text: str) -> timedelta:
    digits = text[1:].replace(":", "").ljust(4, "0")
    return (-1 if text[0] == "-" else 1) * timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))


def alias(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals or not Path(path).is_file():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=PATH of a file")
    return name, Path(path)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="compares Delta tables with the lines they were made from")
    parser.add_argument("--format", choices=sorted(FORMATS), required=True)
    parser.add_argument("--source", type=Path, required=True, help="the file or the directory that was landed")
    parser.add_argument("--lake", type=Path, required=True, help="the folder that holds the tables")
    parser.add_argument("--primary", required=True, metavar="NAME")
    parser.add_argument("--replica", required=True, metavar="NAME")
    parser.add_argument("--rejects", required=True, metavar="NAME")
    parser.add_argument("--alias", type=alias, action="append", default=[], metavar="NAME=PATH",
                        help="read the source called NAME (such as `a.json#2`) from PATH")  # fmt: skip
    parser.add_argument("--roles", type=roles, default=DEFAULT_ROLES, metavar="JSON_OR_TOML_FILE",
                        help="[roles] of the pipeline, when it is not the default")  # fmt: skip
    parser.add_argument("--jsonlog-destination", choices=["primary", "replica"], help="where every jsonlog line goes")
    parser.add_argument("--unknown-keys", choices=["keep", "drop", "reject"], default="keep")
    parser.add_argument("--envelope", choices=["auto", "none"], default="auto")
    parser.add_argument("--max-line", type=int, default=16 << 20, metavar="BYTES")
    parser.add_argument("--raw", type=lambda text: text if text == "line" else int(text), default=REJECT_RAW_LIMIT,
                        metavar="BYTES", help="how much of a reject is kept; `line` for all of it")  # fmt: skip
    parser.add_argument("--zone", type=zone, help="[rows] zone: a name of the tz database, or an offset")
    parser.add_argument("--zones", type=json.loads, default={}, metavar="JSON", help="[rows] zones")
    parser.add_argument("--unterminated", choices=["leave", "land"], default="leave")
    parser.add_argument("--upto-last-newline", dest="unterminated", action="store_const", const="leave",
                        help="the same as --unterminated leave, which is the default")  # fmt: skip
    parser.add_argument("--table-only", action="store_true", help="compare primary and replica, not the rejects")
    args = parser.parse_args()
    if args.format == "jsonlog" and not args.jsonlog_destination and not args.roles["sources"]:
        parser.error("jsonlog lines carry no role: --jsonlog-destination or --roles with sources is needed")
    return args


if __name__ == "__main__":
    sys.set_int_max_str_digits(0)
    sys.setrecursionlimit(DEEPEST)
    end(Judge(arguments()).run())
