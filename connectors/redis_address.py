"""Where Redis is: `redis://host:port`, or several nodes of one cluster, `redis+cluster://a:1,b:2`. It connects to none.

One reading for everybody who is handed XINMAI_REDIS. Nodes after the first that name no user share the first's.
"""

from dataclasses import dataclass
from typing import Any

from redis.connection import parse_url

from connectors.errors import ConnectorError

_PORT = 6379


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """One node: its own URL as redis-py reads it, where that is, and how to greet it."""

    url: str
    host: str
    port: int
    path: str | None
    greeting: tuple[tuple[str, ...], ...]


def addresses_of(redis_url: str) -> list[RedisAddress]:
    """The nodes named by `redis_url`, separated by commas; any node of a cluster knows the others."""
    first, *others = [part.strip() for part in redis_url.replace("+cluster://", "://").split(",")]
    scheme, separator, rest = first.rpartition("://")
    scheme = scheme or "redis"
    user, at, _ = rest.rpartition("@")
    urls = [first if separator else f"{scheme}://{first}"]
    for other in others:
        shared = "" if "@" in other else user + at
        urls.append(other if "://" in other else f"{scheme}://{shared}{other}")
    return [_address(url) for url in urls]


def names_cluster(redis_url: str) -> bool:
    """Whether what it names can only be a cluster: two servers that know nothing of each other would be two truths."""
    return "+cluster://" in redis_url or "," in redis_url


def _address(url: str) -> RedisAddress:
    try:
        options: dict[str, Any] = dict(parse_url(url))  # type: ignore[no-untyped-call]
    except ValueError:
        why = "an address must look like redis://host:port; see XINMAI_REDIS"  # it is not shown: it may hold a password
        raise ConnectorError("redis", why, retryable=False) from None
    greeting: list[tuple[str, ...]] = []
    if options.get("password"):
        named = (options["username"],) if options.get("username") else ()
        greeting.append(("AUTH", *named, options["password"]))
    host, port = options.get("host") or "127.0.0.1", int(options.get("port") or _PORT)
    return RedisAddress(url, host, port, options.get("path"), tuple(greeting))
