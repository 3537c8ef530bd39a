#!/usr/bin/env python3
"""Orders something and waits until it is shipped: order.py HOST:PORT"""

import json
import sys
import time
import urllib.request

PATIENCE = 30  # seconds


def ask(request):
    with urllib.request.urlopen(request, timeout=5) as response:
        return json.load(response)


def main():
    shop = f"http://{sys.argv[1]}"
    number = ask(urllib.request.Request(f"{shop}/orders", data=b"a check", method="POST"))["number"]
    deadline = time.monotonic() + PATIENCE
    while ask(f"{shop}/orders/{number}")["state"] != "shipped":
        if time.monotonic() > deadline:
            sys.exit(f"order {number} was not shipped within {PATIENCE} s")
        time.sleep(0.1)
    print(f"order {number} is shipped")


if __name__ == "__main__":
    main()
