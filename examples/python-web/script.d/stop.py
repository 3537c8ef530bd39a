#!/usr/bin/env python3
"""Stops the guest book: stop.py --runtime-dir=DIR"""

import argparse
import os
import pathlib
import signal
import sys
import time

PATIENCE = 20  # seconds from the signal to the end


def is_ours(pid, runtime):
    """Tells whether `pid` is the guest book of this runtime directory, and not who got its number after it."""
    try:
        arguments = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return f"--data={runtime}/data/book".encode() in arguments


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runtime-dir", type=pathlib.Path, required=True)
    runtime = parser.parse_args().runtime_dir.resolve()
    pid_file = runtime / "run/start.pid"
    if not pid_file.exists():
        return
    pids = [int(line) for line in pid_file.read_text().split()]
    for pid in pids:
        if is_ours(pid, runtime):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while any(is_ours(pid, runtime) for pid in pids):
        if time.monotonic() > deadline:
            sys.exit(f"the guest book still runs {PATIENCE} s after SIGTERM")
        time.sleep(0.05)
    pid_file.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
