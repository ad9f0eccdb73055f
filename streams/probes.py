"""What a worker answers to whoever looks after it: /livez, /readyz, /metrics. Nothing here is about a person."""

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from connectors.loopback_server import LoopbackServer, QuietHandler


def probe_server(
    registry: CollectorRegistry,
    health: Callable[[], dict[str, Any]],
    is_alive: Callable[[], bool],
    *,
    port: int = 0,
    host: str = "127.0.0.1",
) -> LoopbackServer:
    """A server that is started and stopped with the worker."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            match self.path:
                case "/livez":
                    alive = is_alive()
                    self.answer_json(200 if alive else 503, {"alive": alive})
                case "/readyz":
                    now = health()
                    self.answer_json(200 if now["ready"] else 503, now)
                case "/metrics":
                    self.answer(200, generate_latest(registry), "text/plain; version=0.0.4; charset=utf-8")
                case _:
                    self.answer_json(404, {"code": "NOT_FOUND"})

    return LoopbackServer(lambda: Handler, port, host)
