#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Line coverage of each fuzz target over tests/fuzz/corpus and BUILD/fuzz-corpus, for the files the target is about.

usage: fuzz_coverage.py BUILD TARGET...   ($LLVM_SUFFIX: "-19" for llvm-cov-19)

A target says what it is about in its first comment: "Covers: src/convert/onnx src/convert/json/json.c".
"""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

SUFFIX = os.environ.get("LLVM_SUFFIX", "")


def covered_paths(target):
    text = Path(f"tests/fuzz/{target}.c").read_text(encoding="utf-8")
    match = re.search(r"Covers:((?:[\s*]+(?:src|cli)/[\w/.-]+)+)", text)
    return re.findall(r"(?:src|cli)/[\w/.-]*[\w/]", match.group(1)) if match else ["src"]


def measure(build, target):
    program = f"{build}/coverage/fuzz/replay_{target.removeprefix('fuzz_')}"
    folders = [f for f in (f"tests/fuzz/corpus/{target}", f"{build}/fuzz-corpus/{target}") if Path(f).is_dir()]
    raw, merged = f"{build}/coverage/{target}.profraw", f"{build}/coverage/{target}.profdata"
    subprocess.run([program, *folders], check=True, stdout=subprocess.DEVNULL, env={**os.environ, "LLVM_PROFILE_FILE": raw})
    subprocess.run([f"llvm-profdata{SUFFIX}", "merge", "-sparse", raw, "-o", merged], check=True)
    command = [f"llvm-cov{SUFFIX}", "export", "-summary-only", f"-instr-profile={merged}", program]
    files = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["data"][0]["files"]
    root = os.getcwd() + "/"
    wanted = tuple(covered_paths(target))
    rows = []
    for entry in files:
        name = entry["filename"].removeprefix(root)
        if name.startswith(wanted) and entry["summary"]["lines"]["count"]:
            lines = entry["summary"]["lines"]
            rows.append((name, lines["covered"], lines["count"]))
    return rows


def main():
    build, targets = sys.argv[1], sys.argv[2:]
    for target in targets:
        rows = measure(build, target)
        covered, count = sum(r[1] for r in rows), sum(r[2] for r in rows)
        print(f"{target:<52} {covered:>6} of {count:>6} lines  {100 * covered / max(count, 1):6.1f} %")
        for name, part, whole in sorted(rows):
            print(f"  {name:<50} {part:>6} of {whole:>6} lines  {100 * part / whole:6.1f} %")


if __name__ == "__main__":
    main()
