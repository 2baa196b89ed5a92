#!/usr/bin/env python3
"""terminal.py COLUMNS LINES COMMAND...: runs COMMAND in a terminal of that size and prints the first
LINES lines that stay on the screen, colours and all. Progress, on standard error, is not kept."""
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios


def main(columns, lines, *command):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, int(columns), 0, 0))
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS")}
    env["TERM"] = "xterm-256color"
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.DEVNULL, env=env)
    os.close(theirs)
    text = b""
    while True:
        try:
            some = os.read(ours, 65536)
        except OSError:  # the child closed its end
            break
        if not some:
            break
        text += some
    if child.wait() != 0:
        sys.exit(f"{command} ended with {child.returncode}")
    kept = text.decode().replace("\r\n", "\n").split("\n")[: int(lines)]
    print("\n".join(kept))


main(*sys.argv[1:])
