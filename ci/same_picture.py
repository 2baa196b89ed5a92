#!/usr/bin/env python3
"""same_picture.py OLD NEW: whether two pictures say the same, numbers of the machine aside.

A line that names a rate, a time or a memory of the machine is compared with its digits masked; every
other line is compared as it is, because one seed determines it."""
import re
import sys

MACHINE = re.compile(r"/s\b|\bns\b|\bµs\b|\bus\b|\bms\b|\d s\b|seconds|[KMG]i?B\b|a core|ns/", re.IGNORECASE)


def lines(path):
    rows = {}
    # One <text> is a run of one style; runs with one y are a line.
    for y, text in re.findall(r'<text xml:space[^>]* y="(\d+)"[^>]*>([^<]*)</text>', open(path).read()):
        rows.setdefault(int(y), []).append(text)
    said = [" ".join(" ".join(rows[y]).split()) for y in sorted(rows)]
    return [re.sub(r"[\d.,]+\s?[KMGkµun]?", "#", line) if MACHINE.search(line) else line for line in said]


old, new = (lines(path) for path in sys.argv[1:])
if old != new:
    for a, b in zip(old + [""] * len(new), new + [""] * len(old)):
        if a != b:
            print(f"- {a}\n+ {b}")
    sys.exit("the picture no longer shows what a run says: bash ci/picture.sh draws it anew")
print(f"the picture's {len(new)} lines are what a run says")
