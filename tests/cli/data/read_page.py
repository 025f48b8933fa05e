# SPDX-License-Identifier: Apache-2.0
"""Reads a page of `minnow quantize --report` as XML and as HTML: both must see the same; then says what is in it."""
import re
import sys
from collections import Counter
from html.parser import HTMLParser
from xml.etree import ElementTree

SKIPPED = ("xmlns",)


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.elements = []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, sorted((k.lower(), v or "") for k, v in attributes if k not in SKIPPED)))

    handle_startendtag = handle_starttag


text = open(sys.argv[1], encoding="utf-8").read()
root = ElementTree.fromstring(text)
xml = [(e.tag.split("}")[-1].lower(), sorted((k.lower(), v) for k, v in e.attrib.items())) for e in root.iter()]
html = Page()
html.feed(text)
assert xml == html.elements, next((a, b) for a, b in zip(xml, html.elements) if a != b)

counts = Counter(tag for tag, _ in xml)
attributes = sorted({name for _, pairs in xml for name, _ in pairs})
links = sorted({value for tag, pairs in xml for name, value in pairs if name in ("href", "src")})
ids = [value for _, pairs in xml for name, value in pairs if name == "id"]
print("elements:", " ".join(sorted(counts)))
print("attributes:", " ".join(attributes))
print("links:", " ".join(links))
assert len(ids) == len(set(ids)), "an id twice"
assert all(link[1:] in ids for link in links), "a link to nowhere"
outside = re.sub(r'xmlns="http://www\.w3\.org/1999/xhtml"', "", text)
print("addresses:", len(re.findall(r"https?:|url\(|@import", outside)))
print("figures %d, tables %d, rows %d" % (counts["figure"], counts["table"], counts["tr"]))
for svg in root.iter("{http://www.w3.org/1999/xhtml}svg"):
    if svg.get("role") == "img":
        assert svg.get("aria-label"), "a chart without a name"
for table in root.iter("{http://www.w3.org/1999/xhtml}table"):
    widths = {len(list(row)) for row in table.iter("{http://www.w3.org/1999/xhtml}tr")}
    assert len(widths) == 1, ("a table with rows of several lengths", widths)
shown = "".join(root.itertext())
for wanted in sys.argv[2:]:
    print("%s: %d times" % (wanted, shown.count(wanted)))
