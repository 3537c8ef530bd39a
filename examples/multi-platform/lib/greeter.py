"""The same answer without a compiled program: greeter.py PORT"""

import http.server
import sys


class Greeter(http.server.BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self):
        body = b"hello from any\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Greeter).serve_forever()
