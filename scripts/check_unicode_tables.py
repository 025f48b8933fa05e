#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks Hugging Face `tokenizers` for the words of every Unicode scalar value, alone and between two letters.

    pip install tokenizers==0.23.3
    python3 scripts/check_unicode_tables.py [--update]

The answers are 1,112,064 values x 2 texts x 5 settings of BertNormalizer; their SHA-256, one for each setting and plane, are in
tests/golden/unicode_words.sha256. This script computes them from the library and compares (--update: writes) the file;
tests/unit/test_tokenizer.c computes them from the C code and compares, in every test run. So both are equal, value for value.

What is hashed: for each scalar value c of the plane, ascending, the words of c and then those of "a" c "b"; the words of a text
separated by spaces, with a newline at the end, in UTF-8.
"""
import argparse
import hashlib

import tokenizers
from tokenizers import normalizers, pre_tokenizers

PINNED = "0.23.3"
PATH = "tests/golden/unicode_words.sha256"
# clean_text, handle_chinese_chars, strip_accents, lowercase
SETTINGS = ["1111", "1110", "1101", "1100", "0000"]


def digest(setting, plane):
    normalize = normalizers.BertNormalizer(*(flag == "1" for flag in setting)).normalize_str
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    sha = hashlib.sha256()
    for c in range(plane << 16, (plane + 1) << 16):
        if 0xD800 <= c < 0xE000:
            continue
        for text in (chr(c), "a" + chr(c) + "b"):
            sha.update((" ".join(word for word, _ in split(normalize(text))) + "\n").encode())
    return sha.hexdigest()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--update", action="store_true")
    update = parser.parse_args().update
    if tokenizers.__version__ != PINNED:
        raise SystemExit(f"tokenizers {PINNED} is the oracle; this is {tokenizers.__version__}")
    lines = [f"{setting} {plane} {digest(setting, plane)}" for setting in SETTINGS for plane in range(17)]
    if update:
        with open(PATH, "w", encoding="ascii") as f:
            f.write("\n".join(lines) + "\n")
        return
    with open(PATH, encoding="ascii") as f:
        known = f.read().splitlines()
    different = [line for line in lines if line not in known]
    for line in different:
        print("differs:", line)
    if different or len(known) != len(lines):
        raise SystemExit(1)
    print(f"{len(lines)} digests equal")


if __name__ == "__main__":
    main()
