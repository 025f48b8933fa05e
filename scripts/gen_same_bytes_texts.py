#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the 2,000 texts of tests/unit/test_same_bytes.c, and the vocabulary of its random model.

    python3 scripts/gen_same_bytes_texts.py            # writes tests/golden/same_bytes_texts.jsonl, random_vocab.txt
    python3 scripts/gen_same_bytes_texts.py --check    # says whether they are what it would write

A line is a JSON string. Words and templates were written for this project. The texts are shuffled, so that a slow
machine learns much from the first few hundred. Nothing here depends on Python's version.
"""
import json
import os
import sys

N_TEXTS = 2000
GOLDEN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "golden")

NOUNS = """account address answer archive backup badge balance banner basket battery bill binder bottle branch bridge
browser bucket budget button cable calendar camera candle card carton cellar chart cheese clock cloud coat code coin
column compass contract copper counter course cursor curtain customer daemon dashboard deadline deck delivery desk
device diary dinner discount document dome door driver drawer editor engine envelope error export fabric factory fee
fence ferry field file filter flag flour folder forest form fountain frame garden gate glacier grain graph guest guide
hammer harbour header heater hinge hotel image index ink invoice island jacket journal kernel kettle key kitchen label
ladder lamp laptop lawn leaf ledger lemon lens letter library licence lift limit link list lock machine mail manual map
market meadow memo menu message meter mill mirror model module moon motor museum needle network note number oar office
orchard order oven owl package page paint panel paper parcel password patch payment pencil pepper phone photo pier
pillow pipe plan plate pocket policy pond port poster potato printer profile project pump query queue quilt radio rail
ramp receipt recipe record refund region release report reset river road robot rope router rule salad sample saw scale
schedule screen script server sheet shelf ship shop signal sink sketch sleeve slide socket spoon spring stamp station
stone stove street string subject sugar summer switch table tablet task team tenant test ticket tide tile timer token
tool torch towel tower train tray tunnel update upload user valley valve vault vector video village voucher wagon wall
warehouse watch water wheel willow window winter wire wool word workshop yard yoghurt zip zone""".split()
VERBS = """accept add archive attach bake book borrow break bring build burn buy call cancel carry change check clean
climb close collect compare copy count cover cut delete deliver draw drop enable encode export fetch fill find fix fold
follow forget grow heal hide hold import install join keep label learn leave lend lift load lock lose mail measure mend
merge mix move need offer open order pack paint park pass pay plan plant play pour print pull push query raise reach
read rename renew repair replace reset resize return ring save search sell send share show sign sort split start stop
store sweep switch take teach test throw train turn update upload use verify wait walk wash watch weigh write""".split()
ADJECTIVES = """annual bitter black blue bright broken brown calm cheap clear cold coarse damp dark deep digital dry
dull early empty even exact expensive fair fast final fresh gentle green grey heavy hollow hot kind large late lean
light local long loud mild missing narrow new noisy old open orange pale plain polite private public quick quiet rare
raw red remote rough round sharp short silent simple slow small smooth soft sour spare steep strange sweet tall thick
thin tidy tiny warm weak wet white wide wild wooden yellow young""".split()
GLUE = """a about after again all am an and any are as at be because before but by can did do does every first for
from had has have he her here how i if in into is it its just me more most my never no not now of off on one only or
other our out over please she so some still than that the their them then there these they this to today tomorrow too
two under until up very was we were what when where which while who why will with without would yesterday you your
""".split()
ENDINGS = "s es ed d ing er ers est ly y ies tion al able ness ment less ful ure or ic it en le re in an on ar".split()

QUESTIONS = """How do I {v} the {n}?
Where can I {v} my {a} {n}?
why does the {n} not {v} any more
Can two {n}s share one {n}, or does the second {v} it?
What happens to the {n} when I {v} the {n}?
is it possible to {v} a {n} without a {n}
Which {n} is {a}, the {a} one or the {a} one?
PLEASE {v} MY {n}
I cannot {v} the {n}; the {n} says "{a} {n}".
{v} {n} {n}
Who will {v} the {n}, and when?
my {n} is {a} since yesterday, please {v} it
The {n} you sent is too {a}. May I {v} it?""".split("\n")
SENTENCES = """The {a} {n} stood by the {n} until they came to {v} it.
Nobody could {v} the {n}, so it was left {a}.
We {v} every {n} before the {n} is {a} enough.
If the {n} does not {v}, open the {a} {n} and wait.
A {n} that can {v} is better than a {a} {n} in the {n}.
After the {n} they had to {v} the whole {n} again.
Her {n} was {a}, {a} and never {a}.
In the {n} there is a {n}; under it, a {a} {n}.
You may {v} it today, or {v} the other one tomorrow.
This {n}, which is {a}, was made to {v} one {n} at a time.
Without a {n} we would not {v} here.
They {v}, they {v}, and then they {v} once more.
It took two {n}s and a {n} to {v} the {a} {n}.""".split("\n")

OTHERS = {
    "German": "das die der und nicht Straße Größe Übung Schlüssel Rechnung öffnen ändern schön müde Käse heute warum",
    "French": "le la une où été élève façade crème brûlée cœur garçon déjà reçu réglé hôtel naïf pourquoi aujourd'hui",
    "Spanish": "el la niño mañana ¿dónde? ¡hola! cigüeña pingüino canción contraseña pagar después corazón año",
    "Portuguese": "não coração maçã ação você está três avó pão senha conta amanhã então",
    "Polish": "zażółć gęślą jaźń łódź źródło hasło proszę dziękuję później część święto ćma",
    "Czech": "příliš žluťoučký kůň úpěl ďábelské ódy heslo účet děkuji řeka šťáva",
    "Turkish": "İstanbul ılık gün çağ şifre değiştir ağaç öğle ürün IĞDIR iğne",
    "Vietnamese": "tiếng Việt mật khẩu của tôi đường phố nước người được không",
    "Icelandic": "það er æði þetta reddast ðað ætti örn ís",
    "Russian": "как пароль счёт ёлка йод почему окно река сегодня забыл МИР объявление щука",
    "Ukrainian": "їжак яблуко ґанок єдність пароль рахунок чому п'ять",
    "Greek": "Ελληνικά κωδικός θάλασσα άλφα ΐ ΰ ᾳ ὀδυσσεύς ΟΔΥΣΣΕΥΣ λόγος σήμερα",
    "Hebrew": "שלום עולם סיסמה חשבון שָׁלוֹם היום למה ים",
    "Arabic": "مرحبا بالعالم كلمة السر حساب مُحَمَّد اليوم لماذا ﷺ آدم",
    "Persian": "سلام دنیا رمز گچ پژ امروز چرا ۱۲۳۴۵",
    "Hindi": "नमस्ते दुनिया पासवर्ड खाता क्यों आज हिन्दी क़िताब ०१२३",
    "Bengali": "বাংলা ভাষা কেমন আছ ড় ঢ় য় কো কৌ",
    "Tamil": "தமிழ் மொழி கொ கோ கௌ ஔ நீர்",
    "Thai": "ภาษาไทยไม่มีช่องว่าง น้ำใจ เก่ง รหัสผ่าน วันนี้",
    "Georgian": "ქართული ენა ᲥᲐᲠᲗᲣᲚᲘ წყალი პაროლი",
    "Armenian": "Հայերեն լեզու և ԵՎ ջուր",
    "Amharic": "አማርኛ ቋንቋ፣ ሰላም። ውሃ",
    "Chinese": "你好 世界 如何 重置 密码 今天 天气 很好 水 山 月 人 大学 網路 資訊 軟體",
    "Japanese": "東京 タワー は どこ です か 水 ガギグゲゴ がぎぐげご パピプ 半角 ｶﾞｷﾞ カナ 今日 ー",
    "Korean": "비밀번호를 어떻게 재설정하나요 한국어 각 물 오늘 ㄱㄴㄷ",
    "Fullwidth": "ＡＢＣ１２３ ａｂｃ ！ ？ ｗｉｄｅ",
    "Old": "𐌀𐌁 𓀀𓁐 𒀀𒁀 𝔘𝔫𝔦 𝟘𝟙 𐐀𐐨 𐎀𐎁",
}
EMOJI = ["😀", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "☃️", "❤️", "✓", "✗", "→", "∑", "∞", "≠", "√2", "🧪", "🐟", "⌘"]
SIGNS = "½ x² x₂ ①②③ Ⅷ ª º µ Ω Å № ™ ® ℃ ㎏ ﬁne oﬃce ǅ ŉ ĳ ſt".split()
MARKS = [chr(c) for c in (0x300, 0x301, 0x302, 0x303, 0x308, 0x30a, 0x31b, 0x323, 0x327, 0x328, 0x32d, 0x345, 0x5b0,
                          0x64b, 0x93c, 0x94d, 0x302a, 0x3099, 0x1d165, 0x20e3)]
SPACES = ["\t", "\n", "\r\n", "\u00a0", "\u2002", "\u2003", "\u2009", "\u200a", "\u2028", "\u3000", "  ", "\x0b"]
ODD = ["\x00", "\x01", "\x07", "\x1b", "\x7f", "\x85", "\u00ad", "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff",
       "\u202e", "\ufffd", "\ufffe", "\uffff", "\ue000", "\u0378", "\U0001fffe", "\U000f0000", "\U0010ffff"]
SPECIALS = ["[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]", "[cls]", "[ SEP ]", "##ing", "##", "[[SEP]]", "#tag"]
CODE = """for (i = 0; i < {k}; i++) {n}[i] += {v}({n}, &{n}->{n});
if ({n} == NULL) return {v}_{n}(error, "{n}: %d", {k});
const {n} = await {v}("{n}/{k}.json"); // {a}
def {v}_{n}(self, {n}={k}): return [x ** 2 for x in self.{n}]
SELECT {n}, count(*) FROM {n}s WHERE {n}_id <> {k} GROUP BY 1;
$ {v} --{n}={k} -o {n}.txt | sort -u > /var/{n}/{n}.log 2>&1
#define {n}_{v}(x) ((x) * {k}u + 0x{k}ull)
<{n} class="{a}">{v} &amp; {v}</{n}>
{{"{n}": [{k}, {k}.5, null], "{a}": true}}
git {v} -m '{n}: {a} {n}s' && make -j{k} {n}""".split("\n")
PLACES = """mail: {n}.{n}{k}@example.org
https://example.org/{n}/{n}?{n}={k}&{a}=1#{n}-{k}
C:\\Users\\{n}\\{a}\\{n}_{k}.docx
~/.config/{n}/*.toml
{n}{k}.{a}.example:80{k}
@{n} #{a}{n} RT""".split("\n")
NUMBERS = """{k},{k}.{k} EUR
1.{k}.{k}-rc{k}
20{d}-1{e}-2{e}T0{e}:1{e}:2{e}Z
+{d} ({e}{d}) {k}-{k}
{k} % of {k} = {k}/{k}
-{k}e-{e}, 0x{k}, {k}_000
IBAN XX{d} {k} {k} {k}
No. {k}: {n}, {k} kg
{k} {k} {k} {k} {k} {k}""".split("\n")


class Dice:
    """xorshift32, as tests/unit/random_model.h has it."""

    def __init__(self, seed):
        self.state = seed * 2654435761 + 1 & 0xffffffff

    def below(self, n):
        self.state ^= self.state << 13 & 0xffffffff
        self.state ^= self.state >> 17
        self.state ^= self.state << 5 & 0xffffffff
        return (self.state >> 8) % n

    def of(self, things):
        return things[self.below(len(things))]


def fill(dice, template):
    """Each field of a template gets a thing of its own."""
    out = []
    for i, part in enumerate(template.replace("{{", "\x00").replace("}}", "\x01").split("{")):
        if i > 0:
            field, part = part[0], part[2:]
            things = {"n": NOUNS, "v": VERBS, "a": ADJECTIVES}
            if field in things:
                out.append(dice.of(things[field]))
            else:
                out.append(str({"k": dice.below(10 ** (1 + dice.below(4))), "d": 10 + dice.below(90),
                                "e": dice.below(10)}[field]))
        out.append(part.replace("\x00", "{").replace("\x01", "}"))
    return "".join(out)


def in_case(dice, text):
    return [text, text, text, text, text.upper(), text.title()][dice.below(6)] if text.isascii() else text


def question(dice):
    return in_case(dice, fill(dice, dice.of(QUESTIONS)))


def sentence(dice):
    return in_case(dice, fill(dice, dice.of(SENTENCES)))


def paragraph(dice, n):
    return dice.of([" ", " ", "\n"]).join(fill(dice, dice.of(SENTENCES)) for _ in range(n))


def other(dice):
    words = OTHERS[dice.of(sorted(OTHERS))].split()
    return dice.of([" ", " ", " ", "", ", "]).join(dice.of(words) for _ in range(1 + dice.below(12)))


def mixed(dice):
    parts = []
    for _ in range(2 + dice.below(6)):
        parts.append(dice.of([dice.of(NOUNS), dice.of(EMOJI), dice.of(SIGNS), str(dice.below(10000)),
                              dice.of(OTHERS[dice.of(sorted(OTHERS))].split()), dice.of(SPECIALS)]))
    return dice.of([" ", " ", ""]).join(parts)


def marked(dice):
    """Letters with marks in any order: normalization sorts, composes and strips them."""
    letters = "aeiounycsz가中αиåé"
    return "".join(dice.of(letters) + "".join(dice.of(MARKS) for _ in range(dice.below(5))) + dice.of(["", "", " "])
                   for _ in range(1 + dice.below(14)))


def long_word(dice):
    """Around the 100 characters beyond which a word is unknown, and pieces upon pieces."""
    n = dice.of([3, 20, 60, 98, 99, 100, 101, 102, 180])
    word = "".join(dice.of(NOUNS + VERBS + ENDINGS) for _ in range(n))[:n]
    return dice.of(["{}", "{} {}", "({})", "x {} y"]).format(word, word[::-1])


def punctuation(dice):
    return "".join(dice.of("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~…—“”«»¿、。") + dice.of(["", "", " ", "a"])
                   for _ in range(1 + dice.below(40)))


def spaced(dice):
    return "".join(dice.of(NOUNS + GLUE) + dice.of(SPACES + ODD) for _ in range(1 + dice.below(10)))


def scattered(dice):
    """Any characters of any plane."""
    out = []
    for _ in range(1 + dice.below(24)):
        c = dice.below(dice.of([0x80, 0x250, 0x2000, 0x3100, 0xa000, 0x11000, 0x20000, 0x110000]))
        out.append(chr(c) if not 0xd800 <= c < 0xe000 else "\ufffd")
    return "".join(out)


def counted(dice, n):
    """n words of one token each."""
    return " ".join(dice.of(KNOWN) for _ in range(n))


# Two of three are in the vocabulary; the third is made of pieces.
KNOWN = sorted(set(GLUE) | {w for i, w in enumerate(NOUNS + VERBS + ADJECTIVES) if i % 3 != 2})


# Letters as normalization leaves them: small ones without accents; those of the words above that it changes do no harm.
LETTERS = "αβγδεηθικλμνοπρσςτυφω абвгдежзиклмнопрстуфхцчшщыьэюяіґє कखतदनपमरसह のはとこすか カナワキク 大人月山水 " \
          "①②…—“”«»、。→∞™½😀"
# Hangul as normalization leaves it
LETTERS += " " + "".join(chr(c) for c in (0x1100, 0x1102, 0x1105, 0x1107, 0x1109, 0x110c, 0x1112, 0x1161, 0x1165,
                                          0x1169, 0x1175, 0x11a8, 0x11ab))


def vocabulary():
    signs = [chr(c) for c in range(33, 127) if not chr(c).isupper()]
    letters = [c for c in "".join([LETTERS, *OTHERS.values()]) if not c.isascii()]
    continued = [c for c in signs + letters if c.isalnum()] + ENDINGS + ["😀"]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *signs, *letters, *("##" + c for c in continued), *KNOWN,
              "123", "19", "20"]
    return list(dict.fromkeys(tokens))


def kinds():
    """What the texts are, in a fixed order: a maker for each."""
    lengths = list(range(1, 97)) + [110, 111, 126, 127, 128, 129, 158, 190, 191, 192, 193, 222, 238, 239, 252, 253, 254,
                                    255, 256, 257, 300, 400]
    makers = [lambda dice, n=n: counted(dice, n) for n in lengths]
    makers += [lambda dice, n=n: paragraph(dice, n) for n in list(range(2, 22)) * 2 + [24, 30, 40]]
    makers += [lambda dice, text=text: text for text in
               ["", " ", "\n", "\x00", "a", "A", ".", "中", "😀", "\ufffd", "[CLS]", "[SEP]" * 5, "a" * 100, "a" * 101,
                "!" * 300, "中" * 260, "é" * 40, "e\u0301" * 40, "\u0301", "\ud7ff", "\ue000"]]
    short = [question] * 5 + [sentence] * 4 + [other] * 4 + [mixed] * 2 + [
        lambda dice: fill(dice, dice.of(CODE)), lambda dice: fill(dice, dice.of(PLACES)),
        lambda dice: fill(dice, dice.of(NUMBERS)), marked, long_word, punctuation, spaced, scattered,
        lambda dice: dice.of(EMOJI) * (1 + dice.below(8)) + dice.of(["", " ok", "!"]), lambda dice: paragraph(dice, 2)]
    return makers + [short[i % len(short)] for i in range(N_TEXTS)]


def texts():
    dice = Dice(1)
    out = {}
    for make in kinds():
        out.setdefault(make(dice))
    out = list(out)[:N_TEXTS]
    for i in range(len(out) - 1, 0, -1):
        k = dice.below(i + 1)
        out[i], out[k] = out[k], out[i]
    return out


def line(text):
    """Characters are escaped unless they are letters of the lists above or the like."""
    plain = set("".join(OTHERS.values()) + LETTERS + "".join(EMOJI + SIGNS)) - set(ODD)
    return json.dumps(text, ensure_ascii=not all(c in plain or " " <= c <= "~" for c in text)) + "\n"


def main():
    files = {"same_bytes_texts.jsonl": "".join(line(t) for t in texts()),
             "random_vocab.txt": "".join(t + "\n" for t in vocabulary())}
    stale = 0
    for name, content in files.items():
        path, data = os.path.join(GOLDEN, name), content.encode()
        if "--check" not in sys.argv:
            with open(path, "wb") as f:
                f.write(data)
        with open(path, "rb") as f:
            if f.read() != data:
                print(f"{path} is not what {sys.argv[0]} writes")
                stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
