"""A proxy before a node that can lose or hold back an answer after the node has acted."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

BROADCASTS = (b'"sendrawtransaction"', b'"eth_sendRawTransaction"')


class NodeProxy:
    """Forwards every request to the node at `target`.

    `losing`: answers to broadcasts are dropped after the node has taken them. `holding`: they are kept back until
    `let_go` is set; `held` tells that one is. `broadcasts` counts what reached the node.
    """

    def __init__(self, target: str) -> None:
        self.losing = self.holding = False
        self.held, self.let_go = threading.Event(), threading.Event()
        self.broadcasts = 0
        parts = urlsplit(target)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536  # headers and body in one packet: two wait for each other's acknowledgement

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                node = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
                wanted = ("authorization", "content-type")
                headers = {k: v for k, v in self.headers.items() if k.lower() in wanted}
                node.request("POST", self.path, body, headers)
                answer = node.getresponse()
                said = answer.read()
                node.close()
                if any(name in body for name in BROADCASTS) and proxy.swallows():
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        credentials = f"{parts.username}:{parts.password}@" if parts.username else ""
        self.url = f"http://{credentials}127.0.0.1:{self.server.server_port}{parts.path}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def swallows(self) -> bool:
        """Count a broadcast; say whether its answer is lost."""
        self.broadcasts += 1
        if self.holding:
            self.held.set()
            self.let_go.wait(60)
            return True
        return self.losing

    def close(self) -> None:
        self.let_go.set()
        self.server.shutdown()
        self.server.server_close()
