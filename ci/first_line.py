#!/usr/bin/env python3
"""first_line.py COMMAND MAX: clones, runs COMMAND in a terminal, and times its first own line.

It fails when that took more than MAX seconds and the processors were at work for as long: a machine
that others use is slow without the build being so."""
import os
import pty
import resource
import signal
import subprocess
import sys
import tempfile
import time


def first_line(command, folder):
    """The first line after cargo's `Running`, as a person at a terminal would see it."""
    began = time.monotonic()
    subprocess.run(["git", "clone", "-q", "--no-hardlinks", ".", f"{folder}/clone"], check=True)
    cloned = time.monotonic() - began
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(f"{folder}/clone")
        os.environ.update(CARGO_TARGET_DIR=f"{folder}/target", CARGO_TERM_PROGRESS_WHEN="never", TERM="xterm")
        os.execvp(command[0], command)
    seen = b""
    built = None
    try:
        while True:
            try:
                seen += os.read(terminal, 4096)
            except OSError:  # the command ended
                break
            _, running, own = seen.partition(b"Running `")
            if running and built is None:
                built = time.monotonic() - began
            lines = [line for line in own.replace(b"\r", b"\n").split(b"\n")[1:-1] if line.strip()]
            if lines:
                return lines[0].decode(errors="replace"), cloned, built, time.monotonic() - began
    finally:
        os.kill(pid, signal.SIGTERM)
        os.close(terminal)
        os.waitpid(pid, 0)
    sys.exit(seen.decode(errors="replace") + "\nthe command printed nothing of its own")


def main(command, most):
    with tempfile.TemporaryDirectory() as folder:
        line, cloned, built, seconds = first_line(command.split(), folder)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime
    print(f"clone {cloned:.1f} s, built after {built:.1f} s, first line after {seconds:.1f} s ({cpu:.0f} s of CPU): {line.strip()}")
    if min(seconds, cpu) > float(most):
        sys.exit(f"more than {most} s")


main(*sys.argv[1:])
