#!/usr/bin/env python3
# Minnow - SPDX-License-Identifier: Apache-2.0
"""An ONNX encoder, one thread: Minnow's interpreter against onnxruntime, in turns within one run.

usage: bench_fp32.py BENCH_FP32 MODEL.onnx [--name NAME] [--rounds N] [--tokens 8,16,...]

Each round times a few runs of one side, then of the other; what is printed is the median over all runs of all rounds.
JSON lines {"bench":NAME,"tokens":..,"minnow_ms":..,"onnxruntime_ms":..,"ratio":..} on stdout, a table on stderr.
Needs numpy and onnxruntime.
"""
import argparse
import json
import statistics
import subprocess
import sys
import time

from peers import feeds_of, onnxruntime_session


def time_onnxruntime(session, feeds, runs):
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        session.run(None, feeds)
        times.append((time.perf_counter() - start) * 1e3)
    return times


def time_minnow(process, tokens, runs):
    process.stdin.write(f"{tokens} {runs}\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        sys.exit("bench_fp32.py: the bench program ended")
    return [float(x) for x in answer.split()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--name", default="fp32")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--tokens", default="8,16,32,64,128,256")
    arguments = parser.parse_args()
    session = onnxruntime_session(arguments.model)
    names = [each.name for each in session.get_inputs()]
    command = [arguments.program, arguments.model]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    print(f"{'tokens':>8} {'minnow ms':>11} {'onnxruntime ms':>15} {'ratio':>7}", file=sys.stderr)
    for tokens in [int(x) for x in arguments.tokens.split(",")]:
        feeds = feeds_of(names, [tokens])
        runs = max(3, min(20, 1000 // tokens))
        time_minnow(process, tokens, 3)
        time_onnxruntime(session, feeds, 3)
        ours, theirs = [], []
        for _ in range(arguments.rounds):
            ours += time_minnow(process, tokens, runs)
            theirs += time_onnxruntime(session, feeds, runs)
        a, b = statistics.median(ours), statistics.median(theirs)
        print(json.dumps({"bench": arguments.name, "tokens": tokens, "minnow_ms": round(a, 4),
                          "onnxruntime_ms": round(b, 4), "ratio": round(a / b, 4)}), flush=True)
        print(f"{tokens:>8} {a:>11.3f} {b:>15.3f} {a / b:>7.3f}", file=sys.stderr)
    process.stdin.close()
    sys.exit(process.wait())


if __name__ == "__main__":
    main()
