#!/usr/bin/env python3
"""The worker of the shop: worker.py CONFIGURATION

Ships each order after a while. What a worker had taken when it ended is shipped first when it starts again.
"""

import json
import sys
import time

import store


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        configuration = json.load(file)
    name, delay = configuration["instance"], configuration["delay_milliseconds"] / 1000
    redis = store.Redis(configuration["store"])
    print(f"{name} works for {configuration['store']}")
    taken = []
    while True:
        try:
            taken = taken or store.unfinished(redis)
            number = taken.pop(0) if taken else store.take_order(redis, 1)
            if number:
                time.sleep(delay)
                store.ship_order(redis, number, name)
        except OSError as error:
            print(f"the store does not answer: {error}")


if __name__ == "__main__":
    main()
