"""How alerts reach people: webhooks (企业微信, 钉钉, or plain JSON) and Alertmanager. It chooses nobody; a route does.

Outside the insurance network goes a rule, a severity, a count and a link, and nothing else: no person, no institution,
no text. Alertmanager stands inside; it gets no person either, but the alert's id, by which a closing finds its opening.
"""

import base64
import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, Protocol
from urllib.parse import quote

import httpx
import msgspec

from connectors.errors import ConnectorError
from risk.handling import Cause

Alert = Mapping[str, Any]
SEVERITIES = {1: ("info", "提示"), 2: ("warning", "关注"), 3: ("serious", "严重"), 4: ("critical", "紧急")}
TIMEOUT_S = 5.0


class Notice(NamedTuple):
    """One message about its members. By the id a receiver knows it again, and `xinmai alerts --notice` names them."""

    notice_id: str
    cause: Cause


class Target(Protocol):
    """Somebody who can be told of alerts. Telling twice does no harm; ConnectorError when nobody heard."""

    name: str

    async def tell(self, alerts: Sequence[Alert], notice: Notice | None = None) -> None: ...

    async def close(self) -> None: ...


class Webhook:
    """A group chat or an application behind one address."""

    def __init__(
        self,
        url: str,
        *,
        style: Literal["json", "wecom", "dingtalk"] = "json",
        console_url: str,
        secret: str = "",
        inside_network: bool = False,
    ) -> None:
        if inside_network and style != "json":
            raise ValueError(f"{style} is outside the insurance network: leave inside_network off")
        self.name = f"webhook {style}"
        self._url = url
        self._style = style
        self._console_url = console_url.rstrip("/")
        self._secret = secret
        self._inside_network = inside_network
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False)

    async def close(self) -> None:
        """Give the connection back."""
        await self._client.aclose()

    async def tell(self, alerts: Sequence[Alert], notice: Notice | None = None) -> None:
        """One message about all of them. No closings: outside nobody can match one with its opening."""
        told = [alert for alert in alerts if alert.get("episode", "opened") != "closed"]
        if not told:
            return
        # Told again after a crash, the message has the same id: who keeps it hears it once.
        headers = {} if notice is None else {"Idempotency-Key": notice.notice_id}
        if self._inside_network:
            named = {} if notice is None else notice._asdict()
            document = {**named, "alerts": [dict(alert) for alert in told]}
            await _post(self._client, self.name, self._url, document, headers=headers)
            return
        notices = outside_notices(told, self._console_url, notice)
        if self._style == "json":
            await _post(self._client, self.name, self._url, {"notices": notices}, headers=headers)
            return
        text = "\n".join(_sentence(notice) for notice in notices)
        message = {"msgtype": "text", "text": {"content": text}}
        response = await _post(self._client, self.name, self._signed_url(), message, headers=headers)
        _refuse_error_code(self.name, response)

    def _signed_url(self) -> str:
        """钉钉 wants the instant and its signature in the query; 企业微信 has its key in the address."""
        if self._style != "dingtalk" or not self._secret:
            return self._url
        timestamp_ms = str(int(datetime.now(UTC).timestamp() * 1000))
        text = f"{timestamp_ms}\n{self._secret}".encode()
        sign = base64.b64encode(hmac.new(self._secret.encode(), text, hashlib.sha256).digest()).decode()
        joint = "&" if "?" in self._url else "?"
        return f"{self._url}{joint}timestamp={timestamp_ms}&sign={quote(sign, safe='')}"


class Alertmanager:
    """Prometheus' Alertmanager, API v2. Its fingerprint is the set of labels: equal for an opening and its closing."""

    name = "alertmanager"

    def __init__(
        self,
        url: str,
        *,
        console_url: str,
        active_for: timedelta = timedelta(hours=24),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._url = f"{url.rstrip('/')}/api/v2/alerts"
        self._console_url = console_url.rstrip("/")
        self._active_for = active_for
        self._clock = clock
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False)

    async def close(self) -> None:
        """Give the connection back."""
        await self._client.aclose()

    async def tell(self, alerts: Sequence[Alert], notice: Notice | None = None) -> None:
        """Post them at once, each by itself: it groups by its own rules. An alert whose episode closed is resolved."""
        now = self._clock()
        # the newest word about an alert counts, so an opening and its closing in one batch must not be reordered
        newest = {alert["alert_id"]: alert for alert in alerts}
        posts = [self._post(alert, now) for alert in newest.values()]
        if posts:
            await _post(self._client, self.name, self._url, posts)

    def _post(self, alert: Alert, now: datetime) -> dict[str, Any]:
        closed = alert.get("episode") == "closed"
        # Without an end Alertmanager would resolve it after five minutes, though it stands until its closing is told.
        ends = now if closed else now + self._active_for
        # startsAt must not lie behind endsAt, and a simulated city may live in any year: both are the teller's clock.
        starts = now - timedelta(seconds=1)
        return {
            "labels": labels(alert),
            "annotations": {
                "occurred_at": str(alert.get("occurred_at", "")),
                "policy_version": str(alert.get("policy_version", "")),
                **_clause_note(alert),
            },
            "startsAt": starts.isoformat(timespec="milliseconds"),
            "endsAt": ends.isoformat(timespec="milliseconds"),
            "generatorURL": f"{self._console_url}/?alert={quote(str(alert['alert_id']), safe='')}",
        }


def labels(alert: Alert) -> dict[str, str]:
    """What makes one alert of Alertmanager one alert. An institution is named, for routing; a person never is."""
    english, _ = SEVERITIES.get(int(alert["sev_deg"]), ("critical", ""))
    named = {
        "alertname": f"xinmai_{alert['rule_id']}",
        "alert_id": str(alert["alert_id"]),
        "rule_id": str(alert["rule_id"]),
        "level": str(alert["level"]),
        "kind": str(alert["kind"]),
        "severity": english,
        "subject_kind": str(alert["subject_kind"]),
    }
    if alert["subject_kind"] == "institution":
        named["subject_id"] = str(alert["subject_id"])
    if alert.get("service"):
        named["service"] = str(alert["service"])
    if alert.get("test"):
        named["test"] = "true"
    return named


def outside_notices(alerts: Sequence[Alert], console_url: str, notice: Notice | None = None) -> list[dict[str, Any]]:
    """All that may leave the insurance network: rule, severity, count, link; gravest first.

    The link of a notice names it, and so all its members, without an alert's id or an institution leaving.
    """
    counts = Counter((int(alert["sev_deg"]), str(alert["rule_id"])) for alert in alerts)
    named = "" if notice is None else f"&notice={quote(notice.notice_id, safe='')}"
    link = f"{console_url}/?rule="
    return [
        {"rule": rule, "severity": severity, "count": count, "link": f"{link}{quote(rule, safe='')}{named}"}
        for (severity, rule), count in sorted(counts.items(), key=lambda entry: (-entry[0][0], entry[0][1]))
    ]


def _sentence(notice: Mapping[str, Any]) -> str:
    _, chinese = SEVERITIES.get(notice["severity"], ("", "紧急"))
    return f"【信脉】{notice['rule']} {chinese} {notice['count']} 条 {notice['link']}"


def _clause_note(alert: Alert) -> dict[str, str]:
    clause = alert.get("clause")
    if not isinstance(clause, Mapping):
        return {}
    return {"clause": " ".join(str(clause[name]) for name in ("document", "article") if clause.get(name))}


async def _post(
    client: httpx.AsyncClient, name: str, url: str, document: Any, *, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    sent = {"Content-Type": "application/json", **(headers or {})}
    try:
        response = await client.post(url, content=msgspec.json.encode(document), headers=sent)
    except httpx.HTTPError as error:  # repr of the error, never the address: a webhook's address is its key
        raise ConnectorError(name, type(error).__name__, retryable=True) from error
    if response.status_code >= 300:
        retryable = response.status_code == 429 or response.status_code >= 500
        raise ConnectorError(name, f"answered {response.status_code}", retryable=retryable)
    return response


def _refuse_error_code(name: str, response: httpx.Response) -> None:
    """Both chats answer 200 and say in the body whether they took it."""
    try:
        code = msgspec.json.decode(response.content, type=dict[str, Any]).get("errcode", 0)
    except msgspec.DecodeError:
        code = 0
    if code:
        raise ConnectorError(name, f"errcode {code}", retryable=True)
