#!/usr/bin/env python3
"""Licences of everything that the crates, the kit and the designs link or build with.

Dev-dependencies and bench peers are not shipped, so they are not judged. An expression passes when
some choice of its ORs is allowed in all its ANDs. What is not on the list is a decision for a person.
"""
import re
import sys

import workspace

ALLOWED = {
    "MIT", "MIT-0", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-1-Clause", "BSD-2-Clause",
    "BSD-3-Clause", "ISC", "Zlib", "0BSD", "BSL-1.0", "CC0-1.0", "Unlicense", "Unicode-3.0",
    "CDLA-Permissive-2.0",
    # Weak copyleft by file: fine to link, changes to those files would have to be shared.
    "MPL-2.0",
}


def allowed(expression):
    """Evaluates an SPDX expression by recursive descent: OR, then AND, then WITH and brackets."""
    # The old form "MIT/Apache-2.0" means OR.
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))

    def either():
        ok = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            ok = both() or ok
        return ok

    def both():
        ok = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            ok = one() and ok
        return ok

    def one():
        name = tokens.pop(0)
        if name == "(":
            ok = either()
            tokens.pop(0)
            return ok
        if tokens and tokens[0] == "WITH":
            tokens.pop(0)
            name += " WITH " + tokens.pop(0)
        return name in ALLOWED

    return either()


def main():
    for expression, want in [
        ("MIT OR GPL-3.0", True), ("MIT AND GPL-3.0", False), ("(MIT OR GPL-3.0) AND Unicode-3.0", True),
        ("Apache-2.0 WITH LLVM-exception", True), ("GPL-2.0 WITH x", False), ("MIT/Apache-2.0", True),
    ]:
        assert allowed(expression) == want, expression

    meta = workspace.metadata("--all-features")
    package = {p["id"]: p for p in meta["packages"]}
    node = {n["id"]: n for n in meta["resolve"]["nodes"]}
    judged = {p["name"] for p in workspace.crates() + workspace.designs()} | {"kit"}
    queue = [i for i in meta["workspace_members"] if package[i]["name"] in judged]
    via = dict.fromkeys(queue)
    for at in queue:  # grows while it is walked
        for dep in node[at]["deps"]:
            if dep["pkg"] not in via and any(k["kind"] != "dev" for k in dep["dep_kinds"]):
                via[dep["pkg"]] = at
                queue.append(dep["pkg"])
    bad = []
    for found in queue:
        p = package[found]
        if not p["license"] or not allowed(p["license"]):
            path, at = [], found
            while at:
                path.append(package[at]["name"])
                at = via[at]
            bad.append(f"{p['name']} {p['version']}: {p['license'] or p['license_file']} (through {' < '.join(path)})")
    print("\n".join(bad))
    if bad:
        sys.exit(f"{len(bad)} of {len(queue)} packages are under a licence that is not on the list")
    print(f"{len(queue)} packages, all under accepted licences")


main()
