#!/usr/bin/env python3
"""A guest book: POST / adds an entry, GET / lists them, GET /health says that all is well."""

import argparse
import json
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "vendor"))

import bottle  # noqa: E402 (comes from the package itself)


class Book:
    """The entries, one JSON document a line, so that each is written as a whole or not at all."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()

    def add(self, entry):
        with self.lock, self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def entries(self):
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]


def application(book):
    """Returns the web application on top of `book`."""
    app = bottle.Bottle()

    @app.get("/health")
    def health():
        return {"status": "ok"}

    @app.get("/")
    def read():
        return {"entries": book.entries()}

    @app.post("/")
    def write():
        name, text = bottle.request.forms.get("name"), bottle.request.forms.get("text")
        if not name or not text:
            bottle.abort(400, "name and text are needed")
        book.add({"name": name, "text": text})
        bottle.response.status = 201
        return {"added": True}

    return app


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="where the book is kept")
    arguments = parser.parse_args()
    app = application(Book(arguments.data / "entries.jsonl"))
    app.run(host="127.0.0.1", port=arguments.port, quiet=True)


if __name__ == "__main__":
    main()
