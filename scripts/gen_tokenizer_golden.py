#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/tokenizer.jsonl and the small tokenizers it needs, with the ids that `tokenizers` gives.

    pip install tokenizers==0.23.3
    python3 scripts/gen_tokenizer_golden.py --model models/all-MiniLM-L6-v2/tokenizer.json

Each line: {"text": ..., "minilm": ids, "small": ids, ...}, one member for each tokenizer: the model's, and the ones
made here (tests/golden/tokenizer_NAME.json), whose vocabulary is cut from the texts below. The texts were written
for this project.
"""
import argparse
import json
import random

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

PINNED = "0.23.3"
FOLDER = "tests/golden/"
TEXTS = """
How do I reset my password?
I forgot my login, and the e-mail never arrives.
Minnow is a small fish; this is a small engine.
The quick brown foxes jumped over lazily sleeping dogs, didn't they?
HELLO World hElLo wOrLd
unbelievably counterproductive internationalization antidisestablishmentarianism
It's John's, isn't it? They're "quoted" and 'single-quoted'...
Price: $1,234.56 (incl. 19% VAT) -- or 1.100,50 EUR!
mail@example.org https://example.org/a/b?c=d&e=f#g C:\\Users\\me ~/.config/*.json
x=y+z; a<b && c>=d || !e; {[(~`^|@_)]}
snake_case camelCase kebab-case SCREAMING_SNAKE v1.2.3-rc4
#hashtag ##ing ###three @someone 50% 3/4 a\\b
[CLS] [SEP] [MASK] [PAD] [UNK] [cls] [ SEP ] [[SEP]] [SEP][SEP] a[MASK]b [MASK
Größe, Übergröße und Straße: ÄÖÜ äöü ß ẞ
L'été, les élèves ont mangé une crème brûlée à Orléans où ça cœur Œuvre
El niño comió piñas. ¿Qué tal? ¡Olé!
Příliš žluťoučký kůň úpěl ďábelské ódy
Zażółć gęślą jaźń ŁÓDŹ
İstanbul'da ılık bir gün, IĞDIR iğdir
Việt ngữ: Đường phố Hà Nội có nhiều người
Þetta reddast, ðað er æði. Ætti Øresund Århus
Nešto o čaju, šljivama i đumbiru
Как восстановить пароль? ПРИВЕТ МИР Ёлка ёжик й Й
Їжак з'їв яблуко; ґанок, Ґудзик, Єва
Съешь же ещё этих мягких французских булок
Ελληνικά: ΟΔΥΣΣΕΥΣ όδυσσεύς Άλφα ΐ ϋ ΰ ᾳ ᾼ ᾠδή
שלום עולם, מה שלומך? שָׁלוֹם
مرحبا بالعالم، كيف الحال؟ مُحَمَّد إسلام آدم ﷺ
سلام دنیا! گچ پژ ۱۲۳۴۵
नमस्ते दुनिया। क़िताब ज़रूर हिन्दी ०१२३
বাংলা ভাষা, কেমন আছ? ড় ঢ় য় কো কৌ
தமிழ் மொழி கொ கோ கௌ ஔ
తెలుగు భాష ై కై ಕನ್ನಡ ಕೀ ಕೊ ಕೋ
മലയാളം കൊ കോ കൌ සිංහල කේ කො
ภาษาไทยไม่มีช่องว่าง น้ำใจ เก่ง
ພາສາລາວ ຳ ກໍາ
မြန်မာဘာသာ ကို ဦး
ខ្មែរ ភាសា ក្រុង
བོད་སྐད། གཱི རྀ
ქართული ენა ᲥᲐᲠᲗᲣᲚᲘ
Հայերեն լեզու և ԵՎ
አማርኛ ቋንቋ፣ ሰላም።
你好，世界！如何重置密码？
繁體中文：資訊、軟體、網路。
東京タワーはどこですか？ ガギグゲゴ がぎぐげご パピプペポ
ｶﾞｷﾞ ﾊﾟﾋﾟ 半角カナ ｱｲｳ、ＡＢＣ１２３
㈱㊙㌔㍿ ﷼ ℃ ℉ ㎏ № ™ ®
비밀번호를 어떻게 재설정하나요? 한국어 각갂갃
ᄒ\u1161ᆫ글 자모 ㄱㄴㄷ ㅏㅑㅓ
ᏣᎳᎩ ꮳꮃꭹ ᐃᓄᒃᑎᑐᑦ ⴰⵎⴰⵣⵉⵖ
ꯃꯤꯇꯩ ᱥᱟᱱᱛᱟᱲᱤ ᬅᬓ᭄ᬱᬭ ꦗꦮ ᮞᮥᮔ᮪ᮓ
𐐀𐐨 𐌀𐌁 𓀀𓁐 𒀀𒁀 𝔘𝔫𝔦 𝕏𝟘𝟙 𐎀𐎁
𞤀𞤣𞤤𞤢𞤥 𞤆𞤵𞤤𞤢𞥄𞤪 𞥊𞥄
😀 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 ☃️ ❤️ ✓ ✗ → ← ∑ ∞ ≠ ≤ ≮ ∄ √2
½ ¼ ⅓ x² x₂ ①②③ Ⅷ ⅷ ª º µ Ω Å K
ﬁne ﬂow oﬃce ǅ Ǆ ǆ ŉ ĳ Ĳ ſt
“curly” ‘single’ «guillemets» „low“ — em – en ‐ hyphen ‑ nbhyphen … ellipsis
soft\u00adhyphen zero\u200bwidth zwj\u200djoin zwnj\u200cnon bom\ufeffx word\u2060joiner
no\u00a0break en\u2002space em\u2003space thin\u2009space hair\u200aspace ideo\u3000space line\u2028sep para\u2029sep
ogham\u1680space mongolian\u180evowel nel\u0085line vt\u000bff\u000cx
\u202eright to left\u202c \u2066isolate\u2069 \u061cmark
nul\u0000inside bell\u0007 esc\u001b[31mred del\u007f c1\u0091x
replacement \ufffd char, private \ue000 \U000f0000 noncharacter \ufdd0 \uffff \U0010ffff
e\u0301 e\u0302\u0301 o\u031b\u0323 a\u0308\u0332 q\u0307\u0323 \u0301alone \u0323\u0307start
\u212b \u00c5 A\u030a \u2126 \u03a9 \u212a K \u1e9b\u0323 \u0344 \u0340 \u0374 \u037e \u0387 \u1fef
\U0001d15e \U0001d160 \U0001d165\U0001d16d\U0001d166 \u302e\u302f\u302e \u302fa\u302e
a\u302a\u302e\u302bb a\u302f\u0334\u302eb a\u08d4\u0334\u08e3b
a\u1dfb\u0345\u0334b a\U0001e000\U0001e944\U0001d165\u0315b
\U0001e944\U0001d165 x\U0001d165\U0001e94a\u1baa\u034f\u1b44\U0001d165y \u1b44\u0bcd\U000116b6
\uac00\ud7a3\uac01 \u1100\u1161\u11a8 \uf900\ufa0e\U0002f800 \u3400\U00020000\U0002a700
tab\there newline\\nnot CR\rLF
   leading and trailing   
a b c d e f g h i j k l m n o p q r s t u v w x y z 0 1 2 3 4 5 6 7 8 9
!"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ¡¢£¤¥¦§¨©ª«¬®¯°±²³´µ¶·¸¹º»¼½¾¿×÷
<tag> <tag>x x<tag> _<tag> <tag>_ é<tag> <tag>中 (<tag>) <tag><tag>
Foo Bar foo bar FOO  BAR Fóó bar foobar xFoo Barx
left <l> side<l>   <l> right <r> side<r>   <r>   both <b>   <b>x   y   <b>
<s1> <s12> <s123> <s1234 <s12<s12>
New York new york NEW YORK newyork New  York Néw Yörk
""".strip("\n").split("\n")


def made_texts():
    """Lengths around the limit of 100 characters, long runs, and random mixtures of the lines above."""
    rng = random.Random(20261123)
    yield ""
    yield " "
    yield "\n\t\r "
    for n in (99, 100, 101, 250):
        yield "a" * n
        yield "é" * n
        yield "e\u0301" * n
        yield "x" * n + " y"
        yield "\U0001d165" * n + "."
        yield "한" * (n // 3)
        yield "." * n
        yield "中" * n
        yield "\u0301" * n + "z"
        yield "\u00ad" * n + "soft"
    for _ in range(160):
        a, b, c = (rng.choice(TEXTS) for _ in range(3))
        cut, start = rng.randrange(len(a) + 1), rng.randrange(len(b) + 1)
        yield a[:cut] + rng.choice(["", " ", "-", "\u0301", "\u302e", "中", "[SEP]"]) + b[start:start + 40] + c[-12:]
    marks = "\u0301\u0334\u302e\u302f\u302a\U0001d165\U0001e000"
    marks += "\U0001e944\u1baa\u1b44\u034f\u08d4\u08e3\u05b0\u3099\u094d\u0345"
    for _ in range(60):
        yield "a" + "".join(rng.choice(marks) for _ in range(rng.randint(1, 9))) + "b"


def small_vocab(texts):
    """Special tokens, characters (one in nine is left out), and pieces of 2 to 6 characters of every third word."""
    normalize = normalizers.BertNormalizer(True, True, True, True).normalize_str
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    words = sorted({w for t in texts for x in (t, normalize(t)) for w, _ in split(x) if len(w) <= 100})
    chars = sorted({c for w in words for c in w if ord(c) < 0x20000 and not 0xAC00 <= ord(c) < 0xD7A4})
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    for i, c in enumerate(chars):
        if i % 9 != 4:
            tokens += [c, "##" + c]
    for i, w in enumerate(words[::3]):
        n = 2 + i % 5
        tokens += [w[:n], "##" + w[n:n + 3]] if len(w) > n else [w]
    return {t: i for i, t in enumerate(dict.fromkeys(tokens))}


def build(vocab, added=(), max_chars=100, bert_processing=False, **normalizer):
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=max_chars))
    tokenizer.normalizer = normalizers.BertNormalizer(**normalizer)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    cls, sep = ("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])
    template = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[cls, sep])
    tokenizer.post_processor = processors.BertProcessing(sep, cls) if bert_processing else template
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    for token in added:
        tokenizer.add_tokens([token])
    return tokenizer


ADDED = [
    AddedToken("<tag>", single_word=True, normalized=False),
    AddedToken("Foo Bar", normalized=True),
    AddedToken("<l>", lstrip=True, normalized=False),
    AddedToken("<r>", rstrip=True, normalized=False),
    AddedToken("<b>", lstrip=True, rstrip=True, normalized=False),
    AddedToken("<s1", normalized=False),
    AddedToken("<s12>", normalized=False),
    AddedToken("<s123", normalized=False),
    AddedToken("New York", single_word=True, lstrip=True, normalized=True),
    AddedToken("é", single_word=True, normalized=False),
    AddedToken("\u3000", rstrip=True, normalized=False),
    AddedToken("Ελληνικά", normalized=True, rstrip=True),
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True, help="the tokenizer.json of all-MiniLM-L6-v2")
    arguments = parser.parse_args()
    if tokenizers.__version__ != PINNED:
        raise SystemExit(f"tokenizers {PINNED} is the oracle; this is {tokenizers.__version__}")
    texts = list(dict.fromkeys([*TEXTS, *made_texts()]))
    vocab = small_vocab(texts)
    made = {
        "small": build(vocab),
        "cased": build(vocab, lowercase=False, bert_processing=True),
        "accents": build(vocab, strip_accents=True, lowercase=False, handle_chinese_chars=False, max_chars=12),
        "raw": build(vocab, clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False),
        "lower": build(vocab, clean_text=False, strip_accents=False, lowercase=True),
        "added": build(vocab, ADDED),
        "added_raw": build(vocab, ADDED, strip_accents=False, lowercase=False, clean_text=False),
    }
    for name, tokenizer in made.items():
        with open(f"{FOLDER}tokenizer_{name}.json", "w", encoding="utf-8") as f:
            json.dump(json.loads(tokenizer.to_str()), f, ensure_ascii=True, separators=(",", ":"))
            f.write("\n")
    engines = {"minilm": Tokenizer.from_file(arguments.model), **made}
    engines["minilm"].no_truncation()
    engines["minilm"].no_padding()
    with open(FOLDER + "tokenizer.jsonl", "w", encoding="ascii") as f:
        for text in texts:
            row = {"text": text, **{name: engine.encode(text).ids for name, engine in engines.items()}}
            f.write(json.dumps(row, separators=(",", ":")) + "\n")
    print(f"{len(texts)} texts, {len(vocab)} tokens")


if __name__ == "__main__":
    main()
