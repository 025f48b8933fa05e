#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes src/run/tokenizer/unicode_tables.c: what Hugging Face `tokenizers` does with each Unicode scalar value.

    pip install tokenizers==0.23.3
    python3 scripts/gen_unicode_tables.py [-o src/run/tokenizer/unicode_tables.c]

The library itself is asked, not a Unicode database: its parts are built from different versions of Unicode (its list of
accents is years older than its lower-casing), and vectors must come out as they do there. Every assumption that the C code
makes about the answers is asserted here; scripts/check_unicode_tables.py then compares the C code with the library over all
1,112,064 scalar values.
"""
import argparse
import functools

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

PINNED = "0.23.3"
SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
# The bits of unicode_property: the same as in src/run/tokenizer/unicode.h.
REMOVED, WHITESPACE, PUNCTUATION, CHINESE, ACCENT, NONSTARTER, DECOMPOSES, LOWERS = (1 << i for i in range(8))
HANGUL_FIRST, HANGUL_LAST = 0xAC00, 0xD7A3
BLOCK = 128


def bert(**on):
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**off, **on}).normalize_str


def between(function, char):
    """What becomes of a character between two letters."""
    out = function("a" + char + "b")
    assert out[0] == "a" and out[-1] == "b", hex(ord(char))
    return out[1:-1]


def hangul(c):
    """The algorithmic decomposition of a syllable (Unicode 15.0, section 3.12)."""
    index = c - HANGUL_FIRST
    lead, vowel, tail = 0x1100 + index // 588, 0x1161 + index % 588 // 28, 0x11A7 + index % 28
    return chr(lead) + chr(vowel) + (chr(tail) if tail > 0x11A7 else "")


def find_nonstarters(nfd):
    """Characters that canonical ordering moves: past one of the lowest class, or before one of the highest."""
    low, high = "\u0334", "\u0345"
    found = set()
    for c in SCALARS:
        h = chr(c)
        if nfd("a" + h + low) == "a" + low + h or nfd("a" + high + h) == "a" + h + high:
            found.add(h)
    return found


def rank_classes(nfd, chars):
    """Ranks (1, 2, ...) in the order of combining classes; characters of one class share a rank."""
    def compare(a, b):
        if nfd("a" + a + b) == "a" + b + a:
            return 1
        return -1 if nfd("a" + b + a) == "a" + a + b else 0
    ordered = sorted(chars, key=functools.cmp_to_key(lambda a, b: compare(a, b) or ord(a) - ord(b)))
    ranks, rank = {}, 0
    for i, h in enumerate(ordered):
        rank += i == 0 or compare(ordered[i - 1], h) != 0
        ranks[h] = rank
    for a in ordered:  # the order is total: every pair agrees
        for b in ordered:
            assert a == b or (ranks[a] > ranks[b]) == (nfd("x" + a + b) == "x" + b + a), (a, b)
    return ranks


def ask_word_chars():
    """Which characters keep a single_word token from matching beside them, and which ones lstrip and rstrip take."""
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.add_tokens([AddedToken("<q>", single_word=True, normalized=False),
                          AddedToken("<z>", lstrip=True, rstrip=True, normalized=False)])
    q, z = tokenizer.token_to_id("<q>"), tokenizer.token_to_id("<z>")
    words, spaces = set(), set()
    for c in SCALARS:
        h = chr(c)
        after, before = tokenizer.encode("<q>" + h).ids, tokenizer.encode(h + "<q>").ids
        assert (q in after) == (q in before), hex(c)
        if q not in after:
            words.add(c)
        left, right = tokenizer.encode(h + "<z>"), tokenizer.encode("<z>" + h)
        assert (left.ids == [z]) == (right.ids == [z]), hex(c)
        if left.ids == [z]:
            spaces.add(c)
    return words, spaces


def ask():
    """Properties of every scalar value, its stripped decomposition and its lower case where they differ from it."""
    clean, chinese = bert(clean_text=True), bert(handle_chinese_chars=True)
    strip, lower = bert(strip_accents=True), bert(lowercase=True)
    nfd = normalizers.NFD().normalize_str
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    nonstarters = find_nonstarters(nfd)
    accents = {chr(c) for c in SCALARS if nfd(chr(c)) == chr(c) and between(strip, chr(c)) == ""}
    properties, stripped, lowered = bytearray(0x110000), {}, {}
    for c in SCALARS:
        h, p = chr(c), 0
        pieces = [piece for piece, _ in split("a" + h + "b")]
        assert pieces in (["a" + h + "b"], ["a", "b"], ["a", h, "b"]), hex(c)
        p |= {1: 0, 2: WHITESPACE, 3: PUNCTUATION}[len(pieces)]
        cleaned = between(clean, h)
        assert cleaned in ("", " " if p & WHITESPACE else h), hex(c)
        p |= REMOVED if cleaned == "" else 0
        spaced = between(chinese, h)
        assert spaced in (h, " " + h + " "), hex(c)
        p |= CHINESE if spaced != h else 0
        small = between(lower, h)
        if small != h:
            p |= LOWERS
            lowered[c] = small
        whole = between(nfd, h)
        kept = "".join(x for x in whole if x not in accents)
        assert between(strip, h) == kept and all(nfd(x) == x for x in whole), hex(c)
        if HANGUL_FIRST <= c <= HANGUL_LAST:
            assert whole == kept == hangul(c), hex(c)
        if kept == "":
            p |= ACCENT
        elif kept != h:
            p |= DECOMPOSES
            stripped[c] = kept
        if all(x in nonstarters for x in whole):
            p |= NONSTARTER
            # One class decides where a nonstarter goes, and what it becomes later stays in its word.
            assert kept in ("", h) and small == h and not p & (REMOVED | WHITESPACE | PUNCTUATION | CHINESE), hex(c)
        else:
            # A decomposition begins with a starter, and so does what is kept of it; no removed starter follows a kept
            # nonstarter in it. So what is removed inside it changes no order.
            assert whole[0] not in nonstarters and kept[:1] not in nonstarters, hex(c)
            first_kept = next((i for i, x in enumerate(whole) if x in nonstarters and x not in accents), len(whole))
            assert all(x in nonstarters for x in whole[first_kept:]), hex(c)
        properties[c] = p
    words, spaces = ask_word_chars()
    assert spaces == {c for c in SCALARS if properties[c] & WHITESPACE}
    ranks = rank_classes(nfd, [h for h in nonstarters if h not in accents])
    stripped = {c: s for c, s in stripped.items() if not HANGUL_FIRST <= c <= HANGUL_LAST}
    return properties, stripped, lowered, words, ranks


def two_stage(properties):
    index, blocks, seen = [], [], {}
    for start in range(0, 0x110000, BLOCK):
        block = bytes(properties[start:start + BLOCK])
        if block not in seen:
            seen[block] = len(blocks)
            blocks.append(block)
        index.append(seen[block])
    assert len(blocks) <= 256
    return index, [value for block in blocks for value in block]


def ranges(values):
    """{code point: value} -> [(first, last, value)]."""
    out = []
    for c in sorted(values):
        if out and out[-1][1] == c - 1 and out[-1][2] == values[c]:
            out[-1][1] = c
        else:
            out.append([c, c, values[c]])
    return out


class Emitter:
    def __init__(self):
        self.pool = []
        self.lines = []

    def array(self, declaration, items, per_line):
        self.lines.append(f"{declaration}[{len(items)}] = {{")
        for i in range(0, len(items), per_line):
            self.lines.append("    " + ", ".join(items[i:i + per_line]) + ",")
        self.lines.append("};")

    def mapping(self, name, table):
        rows = []
        for c, target in sorted(table.items()):
            if len(target) == 1:
                rows.append(f"{{0x{c:05x}, 0x{ord(target):05x}, 1}}")
            else:
                rows.append(f"{{0x{c:05x}, {len(self.pool)}, {len(target)}}}")
                self.pool += [ord(x) for x in target]
        self.array(f"const unicode_mapping {name}", rows, 5)
        self.lines.append(f"const size_t {name}_count = {len(rows)};")

    def ranges(self, name, rows):
        self.array(f"const unicode_range {name}", [f"{{0x{a:05x}, 0x{b:05x}, {v}}}" for a, b, v in rows], 5)
        self.lines.append(f"const size_t {name}_count = {len(rows)};")


HEADER = """/* SPDX-License-Identifier: Apache-2.0
 * Generated by scripts/gen_unicode_tables.py from tokenizers {version}: do not edit. unicode.h explains the tables. */
#include "run/tokenizer/unicode.h"
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-o", "--output", default="src/run/tokenizer/unicode_tables.c")
    path = parser.parse_args().output
    if tokenizers.__version__ != PINNED:
        raise SystemExit(f"tokenizers {PINNED} is the oracle; this is {tokenizers.__version__}")
    properties, stripped, lowered, words, ranks = ask()
    index, blocks = two_stage(properties)
    out = Emitter()
    out.array("const uint8_t unicode_block_index", [str(x) for x in index], 32)
    out.array("const uint8_t unicode_blocks", [str(x) for x in blocks], 32)
    out.mapping("unicode_stripped", stripped)
    out.mapping("unicode_lowered", lowered)
    out.array("const uint32_t unicode_pool", [f"0x{x:05x}" for x in out.pool], 14)
    word_ranges = ranges({c: 0 for c in words})
    out.ranges("unicode_word_ranges", word_ranges)
    rank_ranges = ranges({ord(h): rank for h, rank in ranks.items()})
    out.ranges("unicode_rank_ranges", rank_ranges)
    with open(path, "w", encoding="ascii") as f:
        f.write(HEADER.format(version=PINNED) + "\n".join(out.lines) + "\n")
    print(f"{path}: {len(blocks) // BLOCK} blocks, {len(stripped)} decompositions, {len(lowered)} lower cases, "
          f"{len(word_ranges)} word ranges, {len(ranks)} kept nonstarters in {max(ranks.values())} classes")


if __name__ == "__main__":
    main()
