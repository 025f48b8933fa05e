#!/usr/bin/env python3
# Minnow - SPDX-License-Identifier: Apache-2.0
"""What each choice of quantization costs: models made in one run, judged by `minnow eval`, beside onnxruntime's own.

usage: quantization_table.py [OPTION]... EVAL_DIR...      (make quantization-table EVAL="DIR...")

JSON lines go to stdout and --results, one a row: {"bench":"quantization","row":..,"average_change_percent":..,..};
progress goes to stderr; the Markdown tables go between the markers of --docs when every row is there. Needs what
quantization_peers.py needs, if a row of onnxruntime's is asked for.
"""
import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.join(HERE, "quantization_peers.py")
BEGIN, END = "<!-- quantization-table: begin -->", "<!-- quantization-table: end -->"
LONG_TOKENS = 200  # as minnow eval's last bucket
NO_EQUALIZATION = ("--no-equalization",)
NEAREST = ("--rounding", "nearest")


@dataclass
class Row:
    name: str
    group: str
    title: str
    calibrate: tuple = ()          # options of `minnow calibrate`
    quantize: tuple = NEAREST      # options of `minnow quantize`
    peer: str = ""                 # onnxruntime's: HOW of quantization_peers.py
    in_onnxruntime: bool = False   # ours, written as ONNX and run there
    result: dict = field(default_factory=dict)


def rows_of_table():
    recipe, ranges = "Recipe", "Ranges: one method at every site"
    table, norms, peers = "Embedding table", "8-bit layer-norm inputs", "onnxruntime's quantizer"
    rows = [
        Row("gptq", recipe, "GPTQ", quantize=("--rounding", "gptq")),
        Row("onnx", recipe, "GPTQ, `--to onnx`, in onnxruntime", in_onnxruntime=True,
            quantize=("--rounding", "gptq", "--to", "onnx", "--force")),
        Row("nearest", recipe, "nearest, bias correction"),
        Row("no-bias-correction", recipe, "nearest, no bias correction", quantize=NEAREST + ("--no-bias-correction",)),
        Row("no-equalization", recipe, "nearest, not equalized", NO_EQUALIZATION),
    ]
    for method in "minmax", "percentile", "mse", "entropy":
        choice = ("--method", method)
        rows.append(Row(method, ranges, f"{method}, equalized", choice))
        rows.append(Row(method + "-unequalized", ranges, f"{method}, not equalized", choice + NO_EQUALIZATION))
    tables = {"int8-per-tensor": "int8, one scale for all", "mixed": "outlier columns in FP16", "fp16": "FP16"}
    for kind, title in tables.items():
        rows.append(Row("table-" + kind, table, title, quantize=NEAREST + ("--embedding", kind)))
    for kind, title in {"per-tensor": "one scale a layer norm", "per-channel": "a scale a channel"}.items():
        rows.append(Row("norms-" + kind, norms, title, quantize=NEAREST + ("--ln-inputs", kind)))
    for how in "minmax", "entropy", "percentile":
        rows.append(Row("ort-" + how, peers, f"static, {how}", peer=how))
    rows.append(Row("ort-dynamic", peers, "dynamic", peer="dynamic"))
    return rows


# --- Running -------------------------------------------------------------------------------------------------------


class Failed(Exception):
    pass


def run(command, out=None):
    """Standard output, seconds, peak memory in MB. Failed has the last line of standard error."""
    start = time.perf_counter()
    with open(out or os.devnull, "wb+") as stdout, open(os.devnull, "rb") as stdin:
        process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE)
        errors = process.stderr.read().decode(errors="replace").strip().splitlines()
        process.stderr.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise Failed(errors[-1] if errors else f"{os.path.basename(command[0])} ended with {process.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss / 1000  # Linux: KiB


def say(text):
    print(text, file=sys.stderr, flush=True)


class Bench:
    def __init__(self, a):
        self.a, self.work = a, a.work
        os.makedirs(self.work, exist_ok=True)
        self.folders = fast_folders(a.eval, self.path("fast")) if a.fast else task_folders(a.eval)
        if a.tasks:
            self.folders = [each for each in self.folders if os.path.basename(each) in a.tasks.split(",")]
        if not self.folders:
            sys.exit("quantization_table.py: no task there")
        self.reference = self.path("fp32")
        self.calibrated = {}
        self.inputs = self.make_fingerprint(a.model, a.texts, a.tokenizer)
        self.fingerprint = self.make_fingerprint(a.model, a.texts, a.tokenizer, a.minnow)

    def path(self, name):
        return os.path.join(self.work, name)

    def row_fingerprint(self, row):
        """What a row's figures depend on: of the peers', not our program's quantizer."""
        return self.inputs if row.peer else self.fingerprint

    def make_fingerprint(self, *paths):
        digest = hashlib.sha256()
        for path in paths:
            with open(path, "rb") as file:
                digest.update(file.read())
        digest.update(repr([[os.path.basename(each) for each in self.folders], self.a.samples, self.a.peer_tokens,
                            self.a.max_tokens, bool(self.a.fast)]).encode())
        return digest.hexdigest()[:16]

    def model_options(self):
        return ["--model", self.a.model, "--tokenizer", self.a.tokenizer, "--max-tokens", str(self.a.max_tokens)]

    def text_options(self):
        return ["--texts", self.a.texts, "--samples", str(self.a.samples), *self.threads()]

    def threads(self):
        return ["--threads", str(self.a.threads)] if self.a.threads else []

    def encode_reference(self):
        stamp = self.path("fp32/fingerprint")
        if os.path.exists(stamp) and open(stamp, encoding="utf-8").read() == self.inputs:
            return
        say("FP32 vectors ...")
        shutil.rmtree(self.reference, ignore_errors=True)
        os.makedirs(self.reference)
        run([self.a.minnow, "eval", *self.model_options(), *self.threads(), "--save-vectors", self.reference, "--json",
             *self.folders])
        run([self.a.minnow, "eval", "--texts", *self.folders], self.path("texts.jsonl"))
        with open(stamp, "w", encoding="utf-8") as file:
            file.write(self.inputs)

    def ranges(self, options):
        """ranges.json of these options, its seconds and peak memory; made once."""
        if options not in self.calibrated:
            out = self.path("ranges-%d.json" % len(self.calibrated))
            took = run([self.a.minnow, "calibrate", *self.model_options(), *self.text_options(), *options, "-o", out])
            self.calibrated[options] = out, *took
        return self.calibrated[options]

    def make(self, row):
        """A model file, its seconds and peak memory, calibration included."""
        if row.peer:
            out = self.path(row.name + ".onnx")
            return out, *run([sys.executable, PEERS, "quantize", row.peer, self.a.model, self.a.tokenizer, self.a.texts,
                              str(self.a.samples), str(self.a.peer_tokens), out])
        out = self.path("int8/model.onnx" if row.in_onnxruntime else row.name + ".minnow") # beside it go settings
        ranges, seconds, peak = self.ranges(row.calibrate)
        more = run([self.a.minnow, "quantize", *self.model_options(), *self.text_options(), "--ranges", ranges,
                    *row.quantize, "-o", out])
        return out, seconds + more[0], max(peak, more[1])

    def judge(self, row, model):
        """minnow eval's report, and the cosines of long texts."""
        vectors, elsewhere = self.path("vectors"), row.peer or row.in_onnxruntime
        if elsewhere:
            shutil.rmtree(vectors, ignore_errors=True)
            run([sys.executable, PEERS, "encode", model, self.a.tokenizer, self.path("texts.jsonl"),
                 str(self.a.max_tokens), vectors])
        report = self.path("report.json")
        run([self.a.minnow, "eval", "--model", vectors if elsewhere else model, "--reference", self.reference,
             *self.threads(), "--json", *self.folders], report)
        with open(report, encoding="utf-8") as file:
            report = json.load(file)
        return report, long_cosines(vectors, self.reference) if elsewhere else report["cosine"]["long"]

    def measure(self, row):
        model, seconds, peak = self.make(row)
        try:
            report, of_long = self.judge(row, model)
            size = os.path.getsize(model)
        finally:
            if not self.a.keep:
                os.remove(model)
        tasks = {each["name"]: each for each in report["tasks"]}
        scored = {name: each for name, each in tasks.items() if each["change_percent"] is not None}
        return {
            "seconds": round(seconds, 1), "peak_mb": round(peak), "mb": round(size / 1e6, 2),
            "average_change_percent": report["average_change_percent"],
            "worst_change_percent": min((each["change_percent"] for each in scored.values()), default=None),
            "worst_task": min(scored, key=lambda name: scored[name]["change_percent"], default=None),
            "cosine": {key: report["cosine"][key] for key in ("mean", "min")}, "n_texts": report["n_texts"],
            "long_cosine": {key: of_long[key] for key in ("mean", "min", "count")},
            "tasks": {name: {"metric": each["metric"], "reference": each["reference"], "candidate": each["candidate"],
                             "change_percent": each["change_percent"], "cosine": each["cosine"]["mean"],
                             "cosine_min": each["cosine"]["min"]} for name, each in tasks.items()},
        }


def long_cosines(vectors, reference):
    """As minnow eval's "long", which vectors made elsewhere have no token counts for."""
    import numpy

    with open(os.path.join(vectors, "tokens.json"), encoding="utf-8") as file:
        lengths = json.load(file)
    cosines = []
    for task, of_task in lengths.items():
        a, b = (numpy.load(os.path.join(each, task + ".npy")).astype(numpy.float64) for each in (vectors, reference))
        long = numpy.asarray(of_task) >= LONG_TOKENS
        norms = numpy.linalg.norm(a[long], axis=1) * numpy.linalg.norm(b[long], axis=1)
        cosines.extend((a[long] * b[long]).sum(1) / norms)
    return {"mean": float(numpy.mean(cosines)) if cosines else None, "min": float(min(cosines)) if cosines else None,
            "count": len(cosines)}


# --- Tasks ---------------------------------------------------------------------------------------------------------


def is_task(folder):
    return any(os.path.exists(os.path.join(folder, each)) for each in ("test.tsv", "corpus.jsonl", "sentences.tsv"))


def task_folders(folders):
    found = []
    for folder in folders:
        if is_task(folder):
            found.append(folder.rstrip("/"))
        else:
            inner = [os.path.join(folder, each) for each in sorted(os.listdir(folder))]
            found.extend(each for each in inner if os.path.isdir(each) and is_task(each))
    return found


def fast_folders(folders, out):
    """A stride of the tasks' lines, written under `out`; retrieval is left out, its answers would be missing."""
    shutil.rmtree(out, ignore_errors=True)
    found = []
    for folder in task_folders(folders):
        names = ("train.tsv", "test.tsv", "sentences.tsv")
        names = [each for each in names if os.path.exists(os.path.join(folder, each))]
        if not names:
            continue
        found.append(os.path.join(out, os.path.basename(folder)))
        os.makedirs(found[-1])
        for name in names:
            with open(os.path.join(folder, name), encoding="utf-8", newline="\n") as file:
                lines = file.readlines()
            step = max(1, len(lines) // 600)
            with open(os.path.join(found[-1], name), "w", encoding="utf-8", newline="\n") as file:
                file.writelines(lines[::step])
    return found


# --- Tables --------------------------------------------------------------------------------------------------------


def number(x, form):
    return "-" if x is None else format(x, form)


def main_cells(r):
    if "error" in r:
        return ["failed"] + ["-"] * 7
    worst = "-" if r["worst_task"] is None else f"{r['worst_change_percent']:+.2f} ({r['worst_task']})"
    cosines = [number(x, ".4f") for x in (r["cosine"]["mean"], r["cosine"]["min"], r["long_cosine"]["mean"])]
    costs = [number(r["mb"], ".1f"), number(r["seconds"], ".0f"), number(r["peak_mb"], ".0f")]
    return [number(r["average_change_percent"], "+.3f"), worst, *cosines, *costs]


def table(head, rows, cells):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    group = None
    for row in rows:
        if row.group != group:
            group = row.group
            lines.append("| **" + group + "** |" + " |" * (len(head) - 1))
        lines.append("| " + " | ".join([row.title] + cells(row.result)) + " |")
    return lines


def task_cells(names, key, form):
    return lambda r: [number(r.get("tasks", {}).get(name, {}).get(key), form) for name in names]


def markdown(rows, about):
    good = [row.result for row in rows if "error" not in row.result]
    if not good:
        return ["Every row failed."]
    tasks = good[0]["tasks"]
    scored = [name for name in tasks if tasks[name]["change_percent"] is not None]
    lines = [about.format(texts=good[0]["n_texts"], long=good[0]["long_cosine"]["count"], tokens=LONG_TOKENS), ""]
    head = ["", "average change %", "worst task %", "cosine, mean", "least", f"mean of >= {LONG_TOKENS} tokens",
            "file MB", "seconds", "peak MB"]
    lines += table(head, rows, main_cells)
    if scored:
        lines += ["", "Change of each task's score in per cent; under its name the metric and FP32's score."]
        head = [f"{name}<br>{tasks[name]['metric']} {tasks[name]['reference']:.2f}" for name in scored]
        lines += ["", *table([""] + head, rows, task_cells(scored, "change_percent", "+.2f"))]
    lines += ["", "Mean cosine to FP32 of each task's texts.", ""]
    lines += table([""] + list(tasks), rows, task_cells(list(tasks), "cosine", ".4f"))
    failed = [f"{row.title}: {row.result['error']}" for row in rows if "error" in row.result]
    return lines + (["", "Failed: " + "; ".join(failed) + "."] if failed else [])


def write_docs(path, lines):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if BEGIN not in text or END not in text:
        sys.exit(f"quantization_table.py: {path} has no markers")
    before, rest = text.split(BEGIN, 1)
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + rest.split(END, 1)[1])


# --- Main ----------------------------------------------------------------------------------------------------------


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("eval", nargs="*", metavar="EVAL_DIR", help="a task's folder, or one that holds such folders")
    parser.add_argument("--minnow", default="build/minnow")
    parser.add_argument("--model", default="build/bench/model.onnx", help="FP32 ONNX")
    parser.add_argument("--tokenizer", default="models/all-MiniLM-L6-v2/tokenizer.json")
    parser.add_argument("--texts", default="data/calibration.txt")
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--peer-tokens", type=int, default=64, help="length of onnxruntime's calibration texts")
    parser.add_argument("--threads", type=int, default=0, help="of minnow; 0: one a processor")
    parser.add_argument("--rows", default="", help="only these, by name, with commas (see --list)")
    parser.add_argument("--tasks", default="", help="only these, by folder name, with commas")
    parser.add_argument("--fast", action="store_true", help="about 600 lines of each task, no retrieval")
    parser.add_argument("--resume", action="store_true",
                        help="keep the rows of --results of the same program and tasks")
    parser.add_argument("--keep", action="store_true", help="keep the models in --work")
    parser.add_argument("--work", default="build/bench/quantization")
    parser.add_argument("--results", default="bench/results/quantization.jsonl")
    parser.add_argument("--docs", default="", help="a Markdown file with markers")
    parser.add_argument("--list", action="store_true", help="print the rows' names and end")
    return parser.parse_args()


def chosen_rows(names):
    rows = rows_of_table()
    wanted = [each for each in names.split(",") if each]
    unknown = [each for each in wanted if each not in [row.name for row in rows]]
    if unknown:
        sys.exit("quantization_table.py: no row '%s'; there are %s" % (unknown[0], ", ".join(row.name for row in rows)))
    return [row for row in rows if not wanted or row.name in wanted]


def past_results(path):
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        results = [json.loads(line) for line in file if line.strip()]
    return {each["row"]: each for each in results if "error" not in each}


def measure_rows(bench, rows, results_path, past):
    os.makedirs(os.path.dirname(results_path) or ".", exist_ok=True)
    with open(results_path, "w", encoding="utf-8") as results:
        for row in rows:
            row.result = past.get(row.name, {})
            if row.result.get("fingerprint") != bench.row_fingerprint(row):
                options = ["onnxruntime", row.peer] if row.peer else [*row.calibrate, *row.quantize]
                row.result = {"bench": "quantization", "row": row.name, "group": row.group, "title": row.title,
                              "options": options, "samples": bench.a.samples, "fast": bench.a.fast,
                              "fingerprint": bench.row_fingerprint(row)}
                try:
                    row.result.update(bench.measure(row))
                except Failed as failure:
                    row.result["error"] = str(failure)
            line = json.dumps(row.result)
            results.write(line + "\n")
            results.flush()
            print(line, flush=True)
            told = "failed: " + row.result["error"] if "error" in row.result else "  ".join(main_cells(row.result))
            say(f"{row.name:>24}  {told}")


def main():
    a = arguments()
    if a.list:
        print("\n".join(f"{row.name:<24} {row.group}: {row.title}" for row in rows_of_table()))
        return 0
    if not a.eval:
        sys.exit('quantization_table.py: no folder to evaluate on: make quantization-table EVAL="DIR..."')
    rows = chosen_rows(a.rows)
    bench = Bench(a)
    bench.encode_reference()
    measure_rows(bench, rows, a.results, past_results(a.results) if a.resume else {})
    about = ("%s, {texts} texts in %d tasks%s, {long} of them of {tokens} tokens and more; %s calibration texts."
             % ("Runs resumed until every row was there (RESUME=1)" if a.resume else "One run", len(bench.folders),
                ", shortened by --fast" if a.fast else "", a.samples or "all"))
    if a.docs and len(rows) == len(rows_of_table()) and not a.fast:
        write_docs(a.docs, markdown(rows, about))
    else:
        say("\n".join(markdown(rows, about)))
    return 1 if any("error" in row.result for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
