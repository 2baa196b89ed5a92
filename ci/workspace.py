#!/usr/bin/env python3
"""Who is in the workspace, one name a line, read from `cargo metadata`.

  crates            the published libraries, leaf first
  designs           the packages under examples/, without the kit
  areas             the bench areas (features of `benches` that have a bench of that name)
  features CRATE    its features but `default`
  nostd CRATE       its features that do not bring in std
  tests NAME        published and unpublished packages that have tests/NAME.rs
  cfg NAME          `package test` pairs whose file is for --cfg NAME
  unsafe            the crates that allow unsafe code somewhere
"""
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def metadata(*more):
    command = ["cargo", "metadata", "--format-version", "1", "--locked", *more]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def members():
    """The packages of the workspace, each with its folder, in the order of their names."""
    found = metadata("--no-deps")["packages"]
    for package in found:
        package["folder"] = pathlib.Path(package["manifest_path"]).parent.relative_to(ROOT)
    return sorted(found, key=lambda p: p["name"])


def crates():
    """Published packages. The shared leaf comes first: the others build on it."""
    found = [p for p in members() if p["publish"] != []]
    return sorted(found, key=lambda p: (p["name"] != "archstone-core", p["name"]))


def designs():
    return [p for p in members() if p["folder"].parts[0] == "examples" and p["name"] != "kit"]


def areas():
    benches = next((p for p in members() if p["name"] == "benches"), None)
    if benches is None:
        return []
    return sorted(t["name"] for t in benches["targets"] if "bench" in t["kind"] and t["name"] in benches["features"])


def without_std(package):
    """The features whose closure has neither `std` here nor in a dependency."""
    def closure(feature, seen):
        for inner in package["features"].get(feature, []):
            if inner not in seen:
                seen.add(inner)
                closure(inner, seen)
        return seen
    clean = [f for f in package["features"] if not any("std" in re.split(r"[/:?]", c) for c in closure(f, {f}))]
    return sorted(f for f in clean if f != "default")


def test_files(package):
    return sorted((ROOT / package["folder"] / "tests").glob("*.rs"))


def main(what, *args):
    if what == "crates":
        return [p["name"] for p in crates()]
    if what == "designs":
        return [p["name"] for p in designs()]
    if what == "areas":
        return areas()
    if what == "features":
        package = next(p for p in members() if p["name"] == args[0])
        return sorted(f for f in package["features"] if f != "default")
    if what == "nostd":
        return without_std(next(p for p in members() if p["name"] == args[0]))
    if what == "tests":
        return [p["name"] for p in members() if (ROOT / p["folder"] / "tests" / f"{args[0]}.rs").exists()]
    if what == "cfg":
        wanted = re.compile(r"#!\[cfg\(.*\b%s\b.*\)\]" % re.escape(args[0]))
        return [f"{p['name']} {f.stem}" for p in crates() for f in test_files(p) if wanted.search(f.read_text())]
    if what == "unsafe":
        def allows(p):
            return any(re.search(r"(allow|expect)\(\s*unsafe_code", f.read_text()) for f in (ROOT / p["folder"] / "src").rglob("*.rs"))
        return [p["name"] for p in crates() if allows(p)]
    sys.exit(__doc__)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for line in main(*sys.argv[1:]):
        print(line)
