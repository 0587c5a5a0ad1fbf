"""Stands in for the app behind nginx: tells what reached it, and writes down each body. Runs in a container.

usage: upstream_stub.py NAME [RECORD]. Like gunicorn it stops taking connections at SIGTERM and ends the requests it has.
"""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

NAME = sys.argv[1]
RECORD = Path(sys.argv[2] if len(sys.argv) > 2 else os.devnull)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if body:
            with RECORD.open("a", encoding="utf-8") as record:
                record.write(f"{body}\n")
        time.sleep(float(query.get("seconds", ["0"])[0]))
        if "drop" in query:  # the connection ends before anything was answered
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        text = json.dumps({"name": NAME, "method": self.command, "body": body, "headers": headers}) + " " * 2000
        self.send_response(int(query.get("status", ["200"])[0]))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if "headers" in query:
            self.send_header("Strict-Transport-Security", "max-age=1")
            self.send_header("Retry-After", "77")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    do_GET = do_POST = do_HEAD = do_PUT = _answer  # noqa: N815 -- the library's names

    def log_message(self, *args: object) -> None:
        """Stay silent."""


class Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 256


server = Server(("", 8000), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever(poll_interval=0.05)
server.server_close()
