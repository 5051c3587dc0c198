#!/usr/bin/env python3
"""Lints the files in `deploy/`: `lint.py kubernetes FOLDER` and `lint.py container FILE`.

It prints what is wrong, one problem per line, and exits 1. If nothing is, it prints one JSON value
with what was linted, for tests that check it in detail: the manifests, or the Containerfile's
instructions.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path

import kubernetes_validate
import yaml
from dockerfile_parse import DockerfileParser
from yamllint import linter
from yamllint.config import YamlLintConfig

RULES = Path(__file__).with_name("yamllint.yaml")


def kubernetes(folder: Path) -> tuple[list[str], list[dict]]:
    """Checks files against yamllint's rules, and manifests against the API's own schema.

    A field that the schema does not know is an error.
    """
    wrong, manifests = [], []
    config = YamlLintConfig(file=str(RULES))
    for path in sorted(folder.glob("*.yaml")):
        text = path.read_text()
        found = list(linter.run(text, config, str(path)))
        wrong += [f"{path.name}:{p.line}: {p.desc}" for p in found]
        if any(p.rule is None for p in found):
            continue  # not YAML at all, so no schema can judge it
        for manifest in yaml.safe_load_all(text):
            manifests.append(manifest)
            try:
                kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)
            except kubernetes_validate.ValidationError as error:
                wrong.append(f"{path.name}: {error.message}")
    return wrong, manifests


def container(path: Path) -> tuple[list[str], list[dict]]:
    """What keeps an image from being repeatable and safe."""
    with tempfile.TemporaryDirectory() as scratch:
        # In a scratch folder, because the parser writes beside its file.
        parser = DockerfileParser(path=scratch)
        parser.content = path.read_text()
        steps = [{"name": step["instruction"], "value": step["value"]} for step in parser.structure]
    steps = [step for step in steps if step["name"] != "COMMENT"]
    return [problem for step in steps for problem in problems(step)] + as_a_whole(steps), steps


def problems(step: dict) -> list[str]:
    name, value = step["name"], step["value"]
    found = []
    if name == "FROM" and not re.fullmatch(r"[a-z0-9./-]+:\d+\.\d+[\w.-]*( AS \w+)?", value):
        found.append(f"FROM {value}: name a version, down to its second number")
    if name == "ADD":
        found.append(f"ADD {value}: it unpacks and downloads; use COPY")
    if name in ("ENTRYPOINT", "CMD") and not value.startswith("["):
        found.append(f"{name} {value}: a shell between would not hand signals on; use a JSON list")
    if name == "RUN" and "apt-get install" in value:
        if "--no-install-recommends" not in value or "rm -rf /var/lib/apt/lists" not in value:
            found.append(f"RUN {value}: install without recommended packages, and remove the lists of packages afterwards")
    if name == "RUN" and "cargo build" in value and "--locked" not in value:
        found.append(f"RUN {value}: not with --locked, so the versions are whatever is current that day")
    if name in ("ENV", "ARG") and re.search(r"(?i)key|secret|token|password|sas|connection", value):
        found.append(f"{name} {value}: a secret would stay in the image")
    return found


def as_a_whole(steps: list[dict]) -> list[str]:
    last = {step["name"]: step["value"] for step in steps}
    found = []
    if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", last.get("USER", "")):
        found.append("the last USER must be numbers, and not root's")
    if sum(step["name"] == "FROM" for step in steps) < 2:
        found.append("the image would hold the toolchain: build in a stage of its own")
    return found


def main() -> None:
    what, path = sys.argv[1], Path(sys.argv[2])
    wrong, linted = {"kubernetes": kubernetes, "container": container}[what](path)
    if wrong:
        print("\n".join(wrong))
        sys.exit(1)
    print(json.dumps(linted))


if __name__ == "__main__":
    main()
