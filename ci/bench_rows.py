#!/usr/bin/env python3
"""bench_rows.py AREA FILE: checks the rows that `compare -- AREA --json` printed."""
import json
import sys

KEYS = {"id", "workload", "unit", "better", "ours", "peer", "limit", "ratio", "goal", "holds", "note"}


def problem(area, row):
    if not isinstance(row, dict) or set(row) != KEYS:
        return f"keys are {sorted(row)}, not {sorted(KEYS)}"
    if not row["id"].startswith(area + "."):
        return f"id does not start with {area}."
    if row["unit"] not in ("ns", "B", "ratio", "count") or row["better"] not in ("lower", "higher"):
        return f"unit {row['unit']!r}, better {row['better']!r}"
    for side in ("ours", "peer"):
        value = row[side]
        if value is not None and set(value) != {"name", "value"}:
            return f"{side} is {value}"
    if row["goal"] is None and row["limit"] is None and row["holds"] is not None:
        return "a row without goal and limit cannot hold"
    if row["holds"] is None and row["goal"] is not None and not row["note"]:
        return "a row that could not run says why"
    if row["ours"] is None and not row["note"]:
        return "no value of ours and no reason"
    return None


def main(area, path):
    rows = [json.loads(line) for line in open(path) if line.strip()]
    bad = [(row, why) for row in rows if (why := problem(area, row))]
    for row, why in bad:
        print(f"{row}: {why}")
    ids = [row["id"] for row in rows]
    twice = {i for i in ids if ids.count(i) > 1}
    if not rows or bad or twice:
        sys.exit(f"{area}: {len(rows)} rows, {len(bad)} malformed, ids twice: {sorted(twice)}")
    holds = sum(row["holds"] is True for row in rows)
    below = [row["id"] for row in rows if row["holds"] is False]
    print(f"{area}: {len(rows)} rows, {holds} hold their goal; below it in this quick run: {', '.join(below) or 'none'}")


main(*sys.argv[1:])
