#!/usr/bin/env python3
# Minnow - SPDX-License-Identifier: Apache-2.0
"""The INT8 engine against onnxruntime and OpenVINO on the same token ids, each in a process of its own, in turns.

usage: bench_native.py --program BENCH_INT8 --minnow MODEL.minnow --model MODEL.onnx --tokenizer TOKENIZER.json
           --texts TEXTS.txt --work FOLDER --results FILE.json [--rounds N] [--stream-rounds N] [--texts-count N]
           [--tokens 8,16,...] [--threads 1,2] [--tiers avx2,...]

The peers' INT8 files are made in FOLDER if they are not there. FILE.json gets
    {"machine": {...}, "versions": {...}, "rows": [{"engine", "config", "threads", "tokens", "median_ms",
     "ratio_to_best_peer", ...}], "processes": [{"engine", "config", "load_ms", "peak_mb"}]}
where ratio_to_best_peer says how many times as fast as the fastest configuration of any peer the row is, at this
length and number of threads. least_ms beside it is the fastest run, which a busy machine disturbs less. tokens is the
length of one text, alone; or "stream": --texts-count texts of the lengths of TEXTS, batches by the config's name.
FILE.md gets the same as a table, also printed on stderr.
Needs bench/requirements.txt.
"""
import argparse
import importlib.metadata
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PAUSE_S = 0.005       # between two engines' turns: the threads of the last may spin for a while
STREAM_PART = 200     # texts of a stream are timed in parts, so that the turns are short
BATCHES = {"one by one": 1, "batches of 512": 512}  # tokens a batch; 2,048 made every peer slower
LOADS = 3             # starts of each engine for its loading time


class Engine:
    """A configuration of an engine; `command` starts it for threads and streams."""

    def __init__(self, engine, config, command, peer, streams=True):
        self.engine, self.config, self.command, self.peer = engine, config, command, peer
        self.streams = streams  # also measured on a stream


class Process:
    def __init__(self, engine, threads, streams):
        self.engine = engine
        self.child = subprocess.Popen(engine.command(threads, streams), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      text=True)
        self.load_ms = self.answer()[0]

    def answer(self):
        line = self.child.stdout.readline()
        if not line:
            sys.exit(f"bench_native.py: {self.engine.engine} {self.engine.config} ended")
        return [float(x) for x in line.split()]

    def time(self, runs, batch_tokens, lengths):
        print(runs, batch_tokens, len(lengths), *lengths, file=self.child.stdin, flush=True)
        return self.answer()

    def peak_mb(self):
        with open(f"/proc/{self.child.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1)) / 1024

    def close(self):
        self.child.stdin.close()
        self.child.wait()


# --- What is measured ----------------------------------------------------------------------------------------------


def peer_files(a):
    """The peers' own INT8 of MODEL, made once."""
    files = {}
    for how, name in ("dynamic", "dynamic.onnx"), ("minmax", "static.onnx"), ("nncf", "nncf.xml"):
        files[how] = os.path.join(a.work, name)
        if os.path.exists(files[how]):
            continue
        os.makedirs(a.work, exist_ok=True)
        made = os.path.join(a.work, "making-" + name)
        subprocess.run([sys.executable, os.path.join(HERE, "quantization_peers.py"), "quantize", how, a.model,
                        a.tokenizer, a.texts, "200", "64", made], check=True, stdout=sys.stderr)
        if name.endswith(".xml"):
            os.replace(made[:-3] + "bin", files[how][:-3] + "bin")
        os.replace(made, files[how])
    return files


def engines_of(a):
    files = peer_files(a)

    def minnow(*tier):
        return lambda threads, streams: [a.program, a.minnow, str(threads), *tier]

    def peer(engine, model):
        return lambda threads, streams: [sys.executable, os.path.join(HERE, "peers.py"), engine, model, str(threads),
                                         str(streams)]

    engines = [Engine("minnow", "INT8", minnow(), False)]
    engines += [Engine("minnow", "INT8, " + tier, minnow(tier), False, False) for tier in a.tiers.split(",") if tier]
    for engine, config, model in (("onnxruntime", "FP32", a.model), ("onnxruntime", "dynamic INT8", files["dynamic"]),
                                  ("onnxruntime", "static QDQ", files["minmax"]), ("openvino", "FP32 file", a.model),
                                  ("openvino", "static QDQ", files["minmax"]),
                                  ("openvino", "NNCF INT8", files["nncf"])):
        engines.append(Engine(engine, config, peer(engine, model), True))
    return engines


def in_turns(processes, rounds, runs, batch_tokens, lengths, warm_up=True):
    """Every process's milliseconds, (median, least) of all runs of all rounds; before them, a turn to warm up."""
    times = [[] for _ in processes]
    for r in range(-1 if warm_up else 0, rounds):
        for process, of_process in zip(processes, times):
            time.sleep(PAUSE_S)
            some = process.time(1 if r < 0 else runs, batch_tokens, lengths)
            if r >= 0:
                of_process.extend(some)
    return [(statistics.median(each), min(each)) for each in times]


def rows_of(engines, configs, threads, tokens, times):
    best = min(median for engine, (median, _) in zip(engines, times) if engine.peer)
    return [{"engine": engine.engine, "config": config, "threads": threads, "tokens": tokens,
             "median_ms": round(median, 4), "ratio_to_best_peer": round(best / median, 3), "least_ms": round(least, 4)}
            for engine, config, (median, least) in zip(engines, configs, times)]


def measure_lengths(a, engines, threads):
    processes = [Process(each, threads, 1) for each in engines]
    rows = []
    for tokens in a.tokens:
        times = in_turns(processes, a.rounds, max(2, min(10, 512 // tokens)), 1, [tokens])
        rows += rows_of(engines, [each.config for each in engines], threads, tokens, times)
        print(f"{threads} threads, {tokens} tokens: {times[0][0]:.3f} ms", file=sys.stderr)
    for each in processes:
        each.close()
    return rows


def measure_stream(a, engines, threads, lengths):
    processes = [Process(each, threads, threads) for each in engines]
    configs, times = [], []
    for name, batch_tokens in BATCHES.items():
        parts = [in_turns(processes, a.stream_rounds, 1, batch_tokens, lengths[first : first + STREAM_PART], first == 0)
                 for first in range(0, len(lengths), STREAM_PART)]
        times += [tuple(map(sum, zip(*of_engine))) for of_engine in zip(*parts)]
        configs += [f"{each.config}, {name}" for each in engines]
        print(f"{threads} threads, stream, {name}: {times[-len(engines)][0]:.1f} ms", file=sys.stderr)
    for each in processes:
        each.close()
    # The best peer of all ways of batching is the one to beat.
    rows = rows_of(engines * len(BATCHES), configs, threads, "stream", times)
    for each in rows:
        each["texts_per_second"] = round(len(lengths) / each["median_ms"] * 1e3, 1)
    return rows


def measure_processes(engines):
    """Loading, the median of LOADS starts with the file in the system's cache; memory of a process that has encoded one
    text of 16 tokens on one thread, Python and its libraries included where the engine is one."""
    rows = []
    for engine in engines:
        loads, peaks = [], []
        for _ in range(LOADS):
            process = Process(engine, 1, 1)
            process.time(1, 1, [16])
            loads.append(process.load_ms)
            peaks.append(process.peak_mb())
            process.close()
        rows.append({"engine": engine.engine, "config": engine.config, "load_ms": round(statistics.median(loads), 2),
                     "peak_mb": round(statistics.median(peaks), 1)})
    return rows


def stream_lengths(a):
    """Lengths of TEXTS' texts, over and over in a fixed shuffled order."""
    from quantization_peers import calibration_rows, tokenizer_of

    lengths = [len(row) for row in calibration_rows(a.texts, tokenizer_of(a.tokenizer, a.max_tokens), 0)]
    return [lengths[i * 7919 % len(lengths)] for i in range(a.texts_count)]


# --- What is written -----------------------------------------------------------------------------------------------


def machine():
    name = platform.processor()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = re.search(r"model name\s*:\s*(.*)", file.read()).group(1)
    except (OSError, AttributeError):
        pass
    return {"processor": name, "processors": os.cpu_count(), "system": platform.system(),
            "load": round(os.getloadavg()[0], 2)}


def table(rows, threads):
    """A Markdown table of the single texts: configurations down, lengths across."""
    rows = [each for each in rows if each["threads"] == threads and each["tokens"] != "stream"]
    lengths = sorted({each["tokens"] for each in rows})
    configs = list(dict.fromkeys((each["engine"], each["config"]) for each in rows))
    at = {(each["engine"], each["config"], each["tokens"]): each for each in rows}
    lines = [f"| {threads} thread{'s' * (threads > 1)}, ms | " + " | ".join(map(str, lengths)) + " |",
             "|---|" + "---|" * len(lengths)]
    for engine, config in configs:
        cells = " | ".join(f"{at[engine, config, n]['median_ms']:.2f}" for n in lengths)
        lines.append(f"| {engine} {config} | {cells} |")
    for engine, config in configs:
        if engine == "minnow":
            cells = " | ".join(f"{at[engine, config, n]['ratio_to_best_peer']:.2f}" for n in lengths)
            lines.append(f"| **{engine} {config}: times the best peer's speed** | {cells} |")
    return lines


def markdown(result, stream):
    rows = result["rows"]
    about = "{processor}, {processors} processors, load {load} before, {load_after} after"
    lines = [about.format(**result["machine"]), ", ".join(f"{k} {v}" for k, v in result["versions"].items()), ""]
    for threads in sorted({each["threads"] for each in rows}):
        lines += table(rows, threads) + [""]
    lines += [f"Stream of {len(stream)} texts, {sum(stream)} tokens, {statistics.mean(stream):.1f} a text:", "",
              "| stream | threads | ms | texts/s | times the best peer |", "|---|---|---|---|---|"]
    lines += [f"| {x['engine']} {x['config']} | {x['threads']} | {x['median_ms']:.0f} | {x['texts_per_second']:.0f} | "
              f"{x['ratio_to_best_peer']:.2f} |" for x in rows if x["tokens"] == "stream"]
    lines += ["", "| process | load ms | peak MB, one text |", "|---|---|---|"]
    lines += [f"| {x['engine']} {x['config']} | {x['load_ms']:.1f} | {x['peak_mb']:.0f} |" for x in result["processes"]]
    return "\n".join(lines) + "\n"


def numbers(text):
    return [int(x) for x in text.split(",") if x]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in "program", "minnow", "model", "tokenizer", "texts", "work", "results":
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--stream-rounds", type=int, default=1)
    parser.add_argument("--texts-count", type=int, default=2000)
    parser.add_argument("--max-tokens", type=int, default=256, help="at which the stream's texts are cut")
    parser.add_argument("--tokens", default="8,16,32,64,128,256,512", type=numbers)
    parser.add_argument("--threads", default="1,2", type=numbers)
    parser.add_argument("--tiers", default="", help="tiers that are measured too")
    a = parser.parse_args()
    engines, stream = engines_of(a), stream_lengths(a)
    result = {"machine": machine(), "rows": [],
              "versions": {name: importlib.metadata.version(name) for name in ("onnxruntime", "openvino", "nncf")},
              "stream": {"texts": len(stream), "tokens": sum(stream)}, "processes": measure_processes(engines)}
    for threads in a.threads:
        result["rows"] += measure_lengths(a, engines, threads)
    for threads in a.threads:
        result["rows"] += measure_stream(a, [each for each in engines if each.streams], threads, stream)
    result["machine"]["load_after"] = round(os.getloadavg()[0], 2)
    text = markdown(result, stream)
    with open(a.results, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    with open(os.path.splitext(a.results)[0] + ".md", "w", encoding="utf-8") as file:
        file.write(text)
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
