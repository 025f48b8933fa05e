#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Unpacks one folder of a wheel, as the zip archive it is, without running anything of it.

Only plain files below INSIDE (which ends in /) are written, below OUT; the names are the archive's, so they are looked at
before they are used. Names that begin with a dot are left out.
usage: unpack_wheel.py WHEEL INSIDE OUT
"""
import os
import shutil
import sys
import zipfile

wheel, inside, out = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for entry in archive.infolist():
        if not entry.filename.startswith(inside) or entry.is_dir():
            continue
        parts = entry.filename[len(inside):].split("/")
        if any(part in ("", ".", "..") or "\\" in part for part in parts):
            sys.exit(f"{wheel}: strange name {entry.filename!r}")
        if parts[-1].startswith("."):
            continue
        path = os.path.join(out, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with archive.open(entry) as source, open(path, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
