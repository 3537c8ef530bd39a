"""The orders of the shop in Redis: a small client, and what the parts of the shop do with it."""

import json
import socket
import time

ORDERS = "shop:orders"  # a hash: number → document
WAITING = "shop:waiting"  # a list: numbers that nobody has shipped
WORKING = "shop:working"  # a list: numbers that a worker has taken
LAST = "shop:last"  # the number given last


class Redis:
    """One connection, made anew when it breaks. Commands that change something are safe to repeat."""

    def __init__(self, endpoint, patience=10.0):
        host, _, port = endpoint.rpartition(":")
        self.address = (host.strip("[]"), int(port))
        self.patience = patience
        self.stream = None

    def command(self, *words):
        """Sends a command and returns the answer; tries again until the patience is at its end."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                return self._ask(words)
            except OSError:
                self.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def close(self):
        if self.stream:
            self.stream.close()
        self.stream = None

    def _ask(self, words):
        if self.stream is None:
            connection = socket.create_connection(self.address, timeout=5)
            self.stream = connection.makefile("rwb")
            connection.close()  # the stream keeps it open
        encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        parts = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)
        self.stream.write(b"*%d\r\n%s" % (len(encoded), parts))
        self.stream.flush()
        return self._read()

    def _read(self):
        line = self.stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis has closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if int(rest) < 0:
            return None
        if kind == b"$":
            return self.stream.read(int(rest) + 2)[:-2].decode()
        return [self._read() for _ in range(int(rest))]


def add_order(redis, what):
    """Adds an order and returns its number. When this returns, Redis has it on the disk."""
    number = redis.command("INCR", LAST)
    redis.command("HSET", ORDERS, number, json.dumps({"what": what, "state": "ordered"}))
    redis.command("RPUSH", WAITING, number)
    return number


def order(redis, number):
    """Returns an order, or None."""
    document = redis.command("HGET", ORDERS, number)
    return document and json.loads(document)


def orders(redis):
    """Returns all orders by number."""
    flat = redis.command("HGETALL", ORDERS)
    return {int(number): json.loads(document) for number, document in zip(flat[::2], flat[1::2])}


def take_order(redis, seconds):
    """Takes the order that has waited longest; None when there is none for `seconds`."""
    return redis.command("BLMOVE", WAITING, WORKING, "LEFT", "RIGHT", seconds)


def ship_order(redis, number, worker):
    """Notes that an order is shipped."""
    document = order(redis, number) or {}
    document.update(state="shipped", worker=worker)
    redis.command("HSET", ORDERS, number, json.dumps(document))
    redis.command("LREM", WORKING, 1, number)


def unfinished(redis):
    """Returns the numbers that a worker took and has not shipped."""
    return redis.command("LRANGE", WORKING, 0, -1)
