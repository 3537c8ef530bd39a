#!/usr/bin/env python3
"""Starts the guest book: start.py --runtime-dir=DIR --coordinate=INSTANCE.SERVICE.USER.CELL [--port=PORT]

Makes its directories, launches the application in a session of its own, records its PID and is done.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import time
import urllib.request

SOFTWARE = pathlib.Path(__file__).resolve().parent.parent
PATIENCE = 20  # seconds until the first answer


def answers(port):
    """Tells whether the application is up."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as response:
            return response.status == 200
    except OSError:
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runtime-dir", type=pathlib.Path, required=True)
    parser.add_argument("--coordinate", required=True)
    parser.add_argument("--port", type=int, default=8090)
    arguments = parser.parse_args()
    runtime = arguments.runtime_dir.resolve()
    for name in ("log", "etc", "data/book", "run"):
        (runtime / name).mkdir(parents=True, exist_ok=True)

    # The package is immutable, so the bytecode goes elsewhere.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(runtime / "run/pycache"), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, str(SOFTWARE / "app/guestbook.py"), f"--port={arguments.port}", f"--data={runtime}/data/book"]
    with (runtime / "log/guestbook.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=runtime, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=log, start_new_session=True)
    (runtime / "run/start.pid").write_text(f"{process.pid}\n")

    deadline = time.monotonic() + PATIENCE
    while not answers(arguments.port):
        if process.poll() is not None:
            sys.exit(f"the guest book of {arguments.coordinate} ended with {process.returncode}, see log/guestbook.log")
        if time.monotonic() > deadline:
            process.kill()
            sys.exit(f"the guest book of {arguments.coordinate} gave no answer within {PATIENCE} s")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
