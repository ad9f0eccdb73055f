"""A small HTTP server for a simulator and for probes: a thread per connection, an ephemeral port unless told one.

It carries a few thousand calls a second; checkout has its own server.
"""

import json
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Self


class QuietHandler(BaseHTTPRequestHandler):
    """Keeps connections open and prints nothing."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave together, else the peer's delayed ACK adds 40 ms
    timeout = 60

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: who wants to know counts."""

    def body(self) -> bytes:
        """The request's body, up to a mebibyte."""
        return self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 1 << 20))

    def answer(self, status: int, body: bytes, content_type: str) -> None:
        """Send the whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def answer_json(self, status: int, document: Any) -> None:
        """Send `document`."""
        self.answer(status, json.dumps(document, ensure_ascii=False).encode(), "application/json")

    def hang_up(self) -> None:
        """Close the connection without a word."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        self._lock = Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is its own affair."""

    def hang_up_all(self) -> None:
        """A server that is down keeps no connection."""
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # it was closed by the other side


class LoopbackServer:
    """Runs a handler until it is stopped; started again, it listens on the port it had."""

    def __init__(
        self, handler: Callable[[], type[BaseHTTPRequestHandler]], port: int = 0, host: str = "127.0.0.1"
    ) -> None:
        self._handler = handler
        self._host = host
        self._port = port
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        """Where it listens, or listened."""
        return f"http://{self._host}:{self._port}"

    def start(self) -> Self:
        """Listen. OSError when the port is taken."""
        assert self._server is None, "running already"
        self._server = _Server((self._host, self._port), self._handler())
        self._port = self._server.server_address[1]
        Thread(target=self._server.serve_forever, args=(0.05,), name=f"http-{self._port}", daemon=True).start()
        return self

    def stop(self) -> None:
        """Refuse connections and drop those that are open. Does nothing when it is not running."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.hang_up_all()
            self._server = None
