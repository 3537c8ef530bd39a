#!/usr/bin/env python3
"""The web front of the shop: web.py CONFIGURATION

POST /orders with a text orders it and answers its number; GET /orders lists all, GET /orders/NUMBER shows one, GET /health says
whether the store answers, GET / says who serves.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import store


class Shop(BaseHTTPRequestHandler):
    """Answers requests. Each thread has a connection to the store of its own."""

    protocol_version = "HTTP/1.1"
    configuration = {}
    of_thread = threading.local()

    def redis(self):
        if not hasattr(self.of_thread, "redis"):
            self.of_thread.redis = store.Redis(self.configuration["store"], patience=3.0)
        return self.of_thread.redis

    def do_GET(self):
        path = self.path.rstrip("/")
        if path == "":
            keys = ("title", "instance", "version")
            self.answer(200, {key: self.configuration[key] for key in keys})
        elif path == "/health":
            self.answer_from_store(lambda redis: (200, {"store": redis.command("PING")}))
        elif path == "/orders":
            self.answer_from_store(lambda redis: (200, store.orders(redis)))
        elif path.startswith("/orders/"):
            found = lambda order: (200, order) if order else (404, {"error": "there is no such order"})
            self.answer_from_store(lambda redis: found(store.order(redis, path.rpartition("/")[2])))
        else:
            self.answer(404, {"error": "there is no such page"})

    def do_POST(self):
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode(errors="replace").strip()
        if self.path.rstrip("/") != "/orders" or not text:
            self.answer(400, {"error": "POST a text to /orders"})
            return
        self.answer_from_store(lambda redis: (201, {"number": store.add_order(redis, text)}))

    def answer_from_store(self, ask):
        try:
            status, document = ask(self.redis())
        except (OSError, RuntimeError) as error:
            status, document = 503, {"error": f"the store does not answer: {error}"}
        self.answer(status, document)

    def answer(self, status, document):
        body = json.dumps(document).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        Shop.configuration = json.load(file)
    address = (Shop.configuration["listen"], Shop.configuration["port"])
    ThreadingHTTPServer.daemon_threads = True
    with ThreadingHTTPServer(address, Shop) as server:
        print(f"{Shop.configuration['instance']} serves at {address[0]}:{address[1]}")
        server.serve_forever()


if __name__ == "__main__":
    main()
