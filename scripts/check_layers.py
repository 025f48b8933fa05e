#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that data moves left to right only: a file includes nothing that comes after it on the road of docs/DESIGN.md.

Also: the operating system's headers stay in src/base, yyjson stays out of what runs at run time, every include names a file
of the tree, and (with --compile) every header compiles alone in C, the public one in C++ too.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

# The road. A folder may include itself and what stands before it; folders on one line know nothing of each other.
ROAD = [
    ["include"],
    ["src/base"],
    ["src/run/tokenizer"],
    ["src/run/model"],
    ["src/run/kernels"],
    ["src/run/engine"],
    ["src/run/search"],
    ["src/convert/json", "src/convert/math"],
    ["src/convert/graph"],
    ["src/convert/compose", "src/convert/shapes"],
    ["src/convert/interpret"],
    ["src/convert/npy", "src/convert/onnx"],
    ["src/convert/import"],
    ["src/convert/optimize"],
    ["src/convert/calibrate"],
    ["src/convert/quantize"],
    ["src/convert/pack", "src/convert/qdq"],
    ["src/convert/eval"],
    ["src/convert/report"],
    ["src/api"],
    ["cli"],
]
RANK = {folder: rank for rank, folders in enumerate(ROAD) for folder in folders}

SYSTEM_HEADER = re.compile(
    r"(sys|arpa|netinet|mach|linux)/|(unistd|pthread|windows|io|fcntl|signal|dirent|direct|process|sched|poll|dlfcn|"
    r"termios|netdb|winsock2|spawn|threads)\.h$"
)
THIRD_PARTY = {"yyjson.h": ("src/convert", "src/api", "cli")}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
# Pieces of the files that include them, once for each instruction set.
PIECES = {
    "src/convert/math/math_impl.h", "src/convert/math/math_functions.h", "src/convert/math/math_gemm.h",
    "src/convert/math/math_quantize.h", "src/convert/math/int8_impl.h",
    "src/run/kernels/kernels_impl.h", "src/run/kernels/functions.h", "src/run/kernels/rows_impl.h",
    "src/run/kernels/dot_impl.h", "src/run/kernels/linear_impl.h", "src/run/kernels/linear_meanwhile.h",
    "src/run/kernels/attention_impl.h", "src/run/kernels/tile_wasm.h", "src/run/kernels/tile_wasm_i16.h",
    "src/run/kernels/verbs_scalar.h", "src/run/kernels/verbs_avx2.h", "src/run/kernels/verbs_avx512.h",
    "src/run/kernels/verbs_neon.h", "src/run/kernels/verbs_wasm.h", "src/run/kernels/tile_i8mm.h", "src/run/kernels/linear_amx.h",
    "src/run/kernels/attention_amx.h", "src/run/kernels/exponentials_wasm.h", "src/run/kernels/finish_wasm.h",
    "src/run/kernels/linear_wasm_i16.h",
    "src/base/crc32c_streams.h",
}
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


def folder_of(path):
    """The road's folder that a file belongs to, or None."""
    for parent in path.parents:
        if parent.as_posix() in RANK:
            return parent.as_posix()
    return None


def resolve(path, name):
    """The file that #include "name" in `path` means."""
    for base in (path.parent, Path("src"), Path("include")):
        if (base / name).is_file():
            return Path(os.path.normpath(base / name))
    return None


def check_quoted(path, folder, name):
    if name in THIRD_PARTY:
        allowed = THIRD_PARTY[name]
        return None if folder.startswith(allowed) else f'{folder} may not use "{name}"'
    target = resolve(path, name)
    if target is None:
        return f'"{name}" names no file of the tree'
    to = folder_of(target)
    if to is None:
        return f'"{name}" lies outside the road'
    if to != folder and RANK[to] >= RANK[folder]:
        return f'{folder} comes before {to}: "{name}" points forwards'
    if folder.startswith("src/run") and to.startswith("src/convert"):
        return f'run time includes build time: "{name}"'
    return None


def check_file(path):
    folder = folder_of(path)
    if folder is None:
        return [f"{path}: lies in no folder of the road (scripts/check_layers.py lists them)"]
    text = COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), path.read_text(encoding="utf-8"))
    problems = []
    for match in INCLUDE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        kind, name = match.groups()
        if kind == '"':
            problem = check_quoted(path, folder, name)
        else:
            is_os = folder != "src/base" and SYSTEM_HEADER.match(name)
            problem = f"<{name}>: operating-system calls live in src/base" if is_os else None
        if problem:
            problems.append(f"{path}:{line}: {problem}")
    return problems


def compile_alone(header, compiler, language, extra):
    command = compiler.split() + ["-x", language, "-fsyntax-only", "-Wall", "-Werror", "-Iinclude", "-Isrc", *extra, "-"]
    source = f'#include "{header.resolve()}"\n'
    done = subprocess.run(command, input=source, capture_output=True, text=True)
    if done.returncode == 0:
        return []
    lines = done.stderr.splitlines()
    reason = next((line for line in lines if "error" in line), lines[-1] if lines else "no message")
    return [f"{header}: does not compile alone as {language}: {reason}"]


def check_headers(headers):
    c = [os.environ.get("CC", "cc"), "c", ["-std=c11", "-D_GNU_SOURCE", "-isystem", "build/deps/yyjson"]]
    problems = []
    for header in headers:
        if header.as_posix() not in PIECES:
            problems += compile_alone(header, *c)
    cxx = os.environ.get("CXX", "c++")
    if any(os.access(Path(p) / cxx.split()[0], os.X_OK) for p in os.environ["PATH"].split(":")):
        problems += compile_alone(Path("include/minnow.h"), cxx, "c++", ["-std=c++11", "-Wextra", "-pedantic"])
    return problems


def self_test():
    """The checks must be able to fail."""
    cases = [
        ("src/base/x.c", '#include "run/tokenizer/tokenizer.h"', 1),
        ("src/run/engine/x.c", '#include "convert/graph/graph.h"', 1),
        ("src/convert/graph/x.c", '#include "base/error.h"\n#include "convert/onnx/onnx.h"', 1),
        ("src/convert/math/x.c", '#include "convert/json/json.h"', 1),
        ("src/api/x.c", "#include <unistd.h>\n#include <sys/stat.h>", 2),
        ("src/run/engine/x.c", '#include "yyjson.h"', 1),
        ("src/api/x.c", '#include "no/such.h"', 1),
        ("cli/x.c", '// #include "a.h"\n/* #include "b.h" */\n#include "convert/onnx/onnx.h"\n#include <stdio.h>', 0),
    ]
    global resolve
    real, failures = resolve, []
    known = ("run/", "convert/", "base/", "api/")
    resolve = lambda path, name: Path("src") / name if name.startswith(known) else None
    with tempfile.TemporaryDirectory() as folder:
        for path, text, expected in cases:
            here = Path(folder) / path
            here.parent.mkdir(parents=True, exist_ok=True)
            here.write_text(text)
            os.chdir(folder)
            found = check_file(Path(path))
            if len(found) != expected:
                failures.append(f"self-test: {path} {text!r}: {len(found)} problems found, {expected} expected: {found}")
    resolve = real
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compile", action="store_true", help="compile every header alone ($CC, $CXX)")
    arguments = parser.parse_args()
    root = Path(__file__).resolve().parent.parent
    problems = self_test()
    os.chdir(root)
    files = sorted(p for top in ("include", "src", "cli") for p in Path(top).rglob("*.[ch]"))
    for path in files:
        problems += check_file(path)
    if arguments.compile:
        problems += check_headers([p for p in files if p.suffix == ".h"])
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"check-layers: {len(files)} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
