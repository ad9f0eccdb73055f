"""Where Redis is: `redis://host:port`, or several nodes of one cluster, `redis+cluster://a:1,b:2`. It connects to none.

One reading for everybody who is handed XINMAI_REDIS. Nodes after the first that name no user share the first's.
`rediss://` and `rediss+cluster://` are the same over TLS; the server must prove its name, by the machine's authorities
or by `?ssl_ca_certs=/path/ca.pem`; `ssl_certfile` and `ssl_keyfile` prove ours.
"""

import ssl
from dataclasses import dataclass
from typing import Any, NamedTuple

from redis.connection import SSLConnection, parse_url

from connectors.errors import ConnectorError

_PORT = 6379


class Tls(NamedTuple):
    """How a node proves who it is, and how we do; by the names that redis-py reads in an address."""

    ssl_ca_certs: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    ssl_keyfile_password: str | None = None
    ssl_cert_reqs: str = "required"
    ssl_check_hostname: bool = True

    def context(self) -> ssl.SSLContext:
        """The same for a connection that is not redis-py's."""
        context = ssl.create_default_context(cafile=self.ssl_ca_certs)
        if self.ssl_cert_reqs == "none":  # written out in the address, by whoever has no certificate to try with
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        elif not self.ssl_check_hostname:
            context.check_hostname = False
        if self.ssl_certfile:
            context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile, self.ssl_keyfile_password)
        return context


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """One node: its own URL as redis-py reads it, where that is, and how to greet it."""

    url: str
    host: str
    port: int
    path: str | None
    greeting: tuple[tuple[str, ...], ...]
    tls: Tls | None = None


def addresses_of(redis_url: str) -> list[RedisAddress]:
    """The nodes named by `redis_url`, separated by commas; any node of a cluster knows the others."""
    first, *others = [part.strip() for part in redis_url.replace("+cluster://", "://").split(",")]
    scheme, separator, rest = first.rpartition("://")
    scheme = scheme or "redis"
    user, at, _ = rest.rpartition("@")
    *_, last = [rest, *others]
    _, mark, options = last.partition("?")  # options stand behind the last node and hold for all of them
    urls = [first if separator else f"{scheme}://{first}"]
    for other in others:
        shared = "" if "@" in other else user + at
        urls.append(other if "://" in other else f"{scheme}://{shared}{other}")
    urls = [url if "?" in url else url + mark + options for url in urls]
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
    tls = Tls(**{name: options[name] for name in Tls._fields if name in options}) if _is_tls(options) else None
    return RedisAddress(url, host, port, options.get("path"), tuple(greeting), tls)


def _is_tls(options: dict[str, Any]) -> bool:
    return options.get("connection_class") is SSLConnection
