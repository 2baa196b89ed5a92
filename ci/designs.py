#!/usr/bin/env python3
"""Looks at designs from outside, as a person would run them; see examples/README.md for the contract."""
import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import time

KEYS = {
    "system", "number", "seed", "scale", "safeguards", "estimates", "flow", "invariants", "faults",
    "claims", "ablations", "trade_offs", "latency", "wall",
}
# README: within five seconds a removed safeguard shows what it broke. Twice that on a busy machine.
BREAKS_WITHIN = 10


class Broken(Exception):
    pass


def check(ok, why):
    if not ok:
        raise Broken(why)


def run(binary, *args, stdin=subprocess.DEVNULL):
    env = {**os.environ, "NO_COLOR": "1"}
    env.pop("COLUMNS", None)
    began = time.monotonic()
    done = subprocess.run([binary, *args], stdin=stdin, capture_output=True, text=True, env=env, timeout=120)
    return done, time.monotonic() - began


def report(binary, seed):
    done, took = run(binary, "--scale", "quick", "--seed", str(seed), "--json")
    check(done.returncode == 0, f"seed {seed}: exit {done.returncode}\n{done.stderr[-2000:]}")
    try:
        return json.loads(done.stdout), took
    except json.JSONDecodeError as e:
        raise Broken(f"seed {seed}: standard output is not one JSON object: {e}") from e


def differences(a, b, path=""):
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(a.keys() | b.keys()):
            yield from differences(a.get(key), b.get(key), f"{path}.{key}")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b)):
            yield from differences(x, y, f"{path}[{i}]")
    elif a != b:
        yield f"{path}: {a!r} and {b!r}"


def seed_is_deterministic(binary, seed):
    first, took = report(binary, seed)
    again, _ = report(binary, seed)
    check(KEYS <= set(first), f"seed {seed}: lacks {sorted(KEYS - set(first))}")
    check(first["seed"] == seed and first["scale"] == "quick", f"seed {seed}: seed or scale is not what was asked")
    first.pop("wall"), again.pop("wall")
    differ = list(differences(first, again))
    check(not differ, f"seed {seed}: two runs differ: " + "; ".join(differ[:5]))
    for invariant in first["invariants"]:
        check(invariant["violations"] == 0, f"seed {seed}: {invariant}")
        check(invariant["checked"] > 0, f"seed {seed}: never checked: {invariant['name']}")
    check(first["invariants"], f"seed {seed}: no invariants")
    check(first["claims"], f"seed {seed}: no claims")
    return first, took


def safeguard_matters(binary, name):
    done, took = run(binary, "--scale", "quick", "--seed", "1", "--without", name)
    said = done.stdout + done.stderr
    check(done.returncode == 1, f"--without {name}: exit {done.returncode}, must be 1\n{said[-2000:]}")
    check("seed" in said, f"--without {name}: does not print the seed")
    check(took < BREAKS_WITHIN, f"--without {name}: took {took:.1f} s")
    return took


def summary_fits(binary):
    done, _ = run(binary, "--scale", "quick")
    check(done.returncode == 0, f"exit {done.returncode}")
    check("\x1b" not in done.stdout, "a pipe gets escape sequences")
    lines = done.stdout.splitlines()
    check(len(lines) > 24, "no blocks after the summary")
    wide = [line for line in lines[:24] if len(line) > 80]
    check(not wide, f"the summary is wider than 80 columns: {wide[:2]}")


def usage_is_answered(binary):
    for args in [("--no-such-flag",), ("--without", "no-such-safeguard"), ("--data", "/no/such/file")]:
        done, _ = run(binary, *args)
        check(done.returncode == 2, f"{args}: exit {done.returncode}, must be 2")
        check(done.stderr.strip() and "panicked" not in done.stderr, f"{args}: {done.stderr[-500:]!r}")
        check(not done.stdout.strip(), f"{args}: an error goes to standard error")


def examine(design, args):
    binary = os.path.join(args.bin, design)
    first, took = seed_is_deterministic(binary, 1)
    for seed in range(2, args.seeds + 1):
        seed_is_deterministic(binary, seed)
    check(first["system"] == design, f"calls itself {first['system']}")
    check(len(first["safeguards"]) >= 2, "fewer than two safeguards to switch off")
    names = [s if isinstance(s, str) else s["name"] for s in first["safeguards"]]
    slowest = max(safeguard_matters(binary, name) for name in names)
    summary_fits(binary)
    usage_is_answered(binary)
    return (
        f"{design}: {args.seeds} seeds twice ({took:.1f} s each), {len(first['invariants'])} invariants held, "
        f"{len(first['claims'])} claims, {len(names)} safeguards each break one (slowest {slowest:.1f} s)"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("designs", nargs="+")
    args = parser.parse_args()
    failed = 0

    def one(design):
        try:
            return True, examine(design, args)
        except (Broken, subprocess.TimeoutExpired, KeyError) as e:
            return False, f"{design}: {type(e).__name__} {e}"

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for ok, line in pool.map(one, args.designs):
            print(line, flush=True)
            failed += not ok
    print(f"{len(args.designs) - failed} designs as promised, {failed} not")
    sys.exit(failed > 0)


main()
