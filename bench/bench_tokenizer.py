#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tokenizer's speed beside Hugging Face `tokenizers`, one thread each, the same texts, in turns.

    python3 bench/bench_tokenizer.py --program build/bench/bench_tokenizer \\
        --tokenizer models/all-MiniLM-L6-v2/tokenizer.json

Prints one JSON line for each kind of text and engine: megabytes a second (10^6 bytes of UTF-8), the median of the
rounds, and for Minnow the ratio to the faster of the reference's two interfaces (encode of each text, encode_batch of
all).
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
import tokenizers  # noqa: E402

PROSE = """the a of to in and is for with that on as it this from your you can we not our be are by or an if will when
please account password settings email page button order delivery refund invoice customer support request
ticket update reset login device browser version server network connection printer document folder calendar
meeting schedule project report summary water kitchen garden weather morning evening family holiday travel
museum language history science music paint bicycle understand remember describe compare cancel confirm
install configure download subscribe unsubscribe troubleshoot misconfiguration reauthentication
interoperability counterproductive internationalization thermodynamics photosynthesis unbelievable
questionable nevertheless straightforward Amsterdam Wednesday November Elizabeth API HTTP JSON PDF USB""".split()
MIXED = """größe café naïve Übergröße señor crème brûlée Zürich şimdi İstanbul český žluťoučký привет мир как
восстановить пароль Настройки Ελληνικά γλώσσα κωδικός שלום עולם مرحبا بالعالم नमस्ते दुनिया 你好世界 如何重置密码 東京タワー
ひらがな カタカナ 비밀번호 재설정 สวัสดี Việt ngữ đường tiếng 😀 👍🏽 ½ № ™ “quoted” — naïveté ﬁne Ａｂｃ x² e\u0301t\u00e9""".split()


def make_texts(words, seed, total_bytes):
    """Sentences of 6 to 18 words, paragraphs of 1 to 6 sentences; common words come more often."""
    rng = random.Random(seed)
    weights = [1 / (i + 3) for i in range(len(words))] if words is PROSE else None
    texts, size = [], 0
    while size < total_bytes:
        sentences = []
        for _ in range(rng.randint(1, 6)):
            chosen = rng.choices(words, weights, k=rng.randint(6, 18))
            chosen[0] = chosen[0][:1].upper() + chosen[0][1:]
            if rng.random() < 0.4:
                chosen[rng.randrange(len(chosen))] += ","
            if rng.random() < 0.1:
                chosen.append(str(rng.randint(1, 2500)))
            sentences.append(" ".join(chosen) + rng.choice("..?!"))
        texts.append(" ".join(sentences))
        size += len(texts[-1].encode())
    return texts


class Minnow:
    def __init__(self, program, tokenizer, texts):
        self.file = tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8", newline="\n")
        self.file.write("\n".join(texts))
        self.file.flush()
        self.process = subprocess.Popen([program, tokenizer, self.file.name], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def run(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline().split()
        if len(line) != 2:
            sys.exit("bench_tokenizer stopped")
        return float(line[0]), int(line[1])

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.file.close()


def timed(function):
    start = time.perf_counter()
    n_ids = function()
    return time.perf_counter() - start, n_ids


def measure(kind, texts, arguments):
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    reference = tokenizers.Tokenizer.from_file(arguments.tokenizer)
    reference.no_truncation()
    reference.no_padding()
    minnow = Minnow(arguments.program, arguments.tokenizer, texts)
    engines = {
        "minnow": minnow.run,
        "tokenizers encode": lambda: timed(lambda: sum(len(reference.encode(text).ids) for text in texts)),
        "tokenizers encode_batch": lambda: timed(lambda: sum(len(e.ids) for e in reference.encode_batch(texts))),
    }
    seconds = {name: [] for name in engines}
    counts = set()
    for round_number in range(arguments.rounds + 1):
        for name, run in engines.items():
            elapsed, n_ids = run()
            counts.add(n_ids)
            if round_number > 0:  # the first one warms up
                seconds[name].append(elapsed)
    minnow.close()
    if len(counts) != 1:
        sys.exit(f"the engines do not agree: {sorted(counts)} ids")
    speed = {name: megabytes / statistics.median(values) for name, values in seconds.items()}
    best = max(value for name, value in speed.items() if name != "minnow")
    for name, value in speed.items():
        row = {"bench": "tokenizer", "texts": kind, "engine": name, "n_texts": len(texts), "mb": round(megabytes, 3),
               "rounds": arguments.rounds, "mb_per_s": round(value, 3)}
        if name == "minnow":
            row["ratio"] = round(value / best, 2)
        else:
            row["version"] = tokenizers.__version__
        print(json.dumps(row), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="build/bench/bench_tokenizer")
    parser.add_argument("--tokenizer", default="models/all-MiniLM-L6-v2/tokenizer.json")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--mb", type=float, default=1.0, help="megabytes of text of each kind")
    arguments = parser.parse_args()
    for seed, (kind, words) in enumerate({"prose": PROSE, "mixed scripts": PROSE + MIXED * 2}.items()):
        texts = make_texts(PROSE if kind == "prose" else words, seed, arguments.mb * 1e6)
        measure(kind, texts, arguments)


if __name__ == "__main__":
    main()
