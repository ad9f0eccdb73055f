"""Alerts told to a server that really listens: what leaves the network, what Alertmanager can match."""

import asyncio
import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.errors import ConnectorError
from connectors.loopback_server import LoopbackServer, QuietHandler
from connectors.notify import SEVERITIES, Alertmanager, Notice, Webhook

CONSOLE = "https://console.example"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Listener:
    """Keeps what it is told."""

    def __init__(self):
        self.paths = []
        self.keys = []
        self.bodies = []
        self.status = 200
        self.answer = {"errcode": 0}
        self.server = LoopbackServer(lambda: self._handler())

    def _handler(self):
        listener = self

        class Handler(QuietHandler):
            def do_POST(self):
                listener.paths.append(self.path)
                listener.keys.append(self.headers.get("Idempotency-Key"))
                listener.bodies.append(json.loads(self.body()))
                self.answer_json(listener.status, listener.answer)

        return Handler


@pytest.fixture
def listener():
    heard = Listener()
    heard.server.start()
    yield heard
    heard.server.stop()


def alert(number: int = 1, **over) -> dict:
    return {
        "alert_id": f"al_{number}",
        "rule_id": "P01",
        "level": 1,
        "kind": "suspicion",
        "sev_deg": 2,
        "subject_kind": "person",
        "subject_id": "p1_secretsecretsecretse",
        "occurred_at": "2026-03-01T20:00:00.000+08:00",
        "episode": "opened",
        "observed": 16,
        "allowed": 15,
        "fixmedins_code": "H43050100001",
        "vola_cont_zh": "30日内就诊16次",
        "clause": {"document": "湘医保发〔2024〕1号", "article": "第十二条", "in_force_from": "2024-05-01"},
        "policy_version": "shaoyang-2026.1+abc",
        **over,
    }


def tell(target, *alerts, notice=None):
    async def run():
        try:
            await target.tell(alerts, notice)
        finally:
            await target.close()

    asyncio.run(run())


@pytest.mark.parametrize("style", ["json", "wecom", "dingtalk"])
def test_outside_the_network_only_rule_severity_count_and_link_are_told(listener, style):
    webhook = Webhook(listener.server.url, style=style, console_url=CONSOLE)
    tell(webhook, alert(1), alert(2), alert(3, rule_id="L100", sev_deg=4))
    told = json.dumps(listener.bodies, ensure_ascii=False)
    for secret in ("p1_secret", "H4305", "30日", "al_1", "16"):
        assert secret not in told
    if style == "json":
        assert listener.bodies == [
            {
                "notices": [
                    {"rule": "L100", "severity": 4, "count": 1, "link": f"{CONSOLE}/?rule=L100"},
                    {"rule": "P01", "severity": 2, "count": 2, "link": f"{CONSOLE}/?rule=P01"},
                ]
            }
        ]
    else:
        assert listener.bodies[0]["text"]["content"].splitlines() == [
            f"【信脉】L100 紧急 1 条 {CONSOLE}/?rule=L100",
            f"【信脉】P01 关注 2 条 {CONSOLE}/?rule=P01",
        ]


@pytest.mark.parametrize("style", ["json", "wecom", "dingtalk"])
def test_a_notice_has_its_id_as_key_and_in_its_link_and_names_no_member_outside(listener, style):
    webhook = Webhook(listener.server.url, style=style, console_url=CONSOLE)
    tell(webhook, alert(1), alert(2), notice=Notice("nt_1", "flood"))
    told = json.dumps(listener.bodies, ensure_ascii=False)
    assert f"{CONSOLE}/?rule=P01&notice=nt_1" in told
    assert listener.keys == ["nt_1"]
    for secret in ("p1_secret", "H4305", "al_1"):
        assert secret not in told


def test_inside_the_network_a_notice_lists_its_members(listener):
    inside = Webhook(listener.server.url, console_url=CONSOLE, inside_network=True)
    tell(inside, alert(1), alert(2), notice=Notice("nt_1", "flood"))
    assert listener.bodies == [{"notice_id": "nt_1", "cause": "flood", "alerts": [alert(1), alert(2)]}]


def test_inside_the_network_the_whole_alert_is_told(listener):
    tell(Webhook(listener.server.url, console_url=CONSOLE, inside_network=True), alert(1))
    assert listener.bodies == [{"alerts": [alert(1)]}]


@pytest.mark.parametrize("style", ["wecom", "dingtalk"])
def test_a_public_chat_cannot_be_declared_inside(style):
    with pytest.raises(ValueError, match="outside the insurance network"):
        Webhook("http://127.0.0.1:9", style=style, console_url=CONSOLE, inside_network=True)


def test_dingtalk_gets_its_signature(listener):
    tell(
        Webhook(f"{listener.server.url}/robot?access_token=t", style="dingtalk", console_url=CONSOLE, secret="s"),
        alert(),
    )
    query = parse_qs(urlsplit(listener.paths[0]).query)
    expected = hmac.new(b"s", f"{query['timestamp'][0]}\ns".encode(), hashlib.sha256).digest()
    assert query["sign"] == [base64.b64encode(expected).decode()]
    assert query["access_token"] == ["t"]


def test_a_chat_that_answers_200_with_an_error_code_has_not_taken_it(listener):
    listener.answer = {"errcode": 45009, "errmsg": "api freq out of limit"}
    with pytest.raises(ConnectorError, match="45009") as failure:
        tell(Webhook(listener.server.url, style="wecom", console_url=CONSOLE), alert())
    assert failure.value.retryable


@pytest.mark.parametrize(("status", "retryable"), [(500, True), (429, True), (400, False)])
def test_a_refusing_listener_is_a_connector_error(listener, status, retryable):
    listener.status = status
    with pytest.raises(ConnectorError) as failure:
        tell(Alertmanager(listener.server.url, console_url=CONSOLE), alert())
    assert failure.value.retryable is retryable


def test_an_error_never_shows_the_address_which_is_the_webhooks_key():
    with pytest.raises(ConnectorError) as failure:
        tell(Webhook("http://127.0.0.1:9/?key=topsecret", style="wecom", console_url=CONSOLE), alert())
    assert "topsecret" not in str(failure.value)


def test_alertmanager_gets_the_closing_under_the_labels_of_its_opening(listener):
    for episode in ("opened", "closed"):
        manager = Alertmanager(listener.server.url, console_url=CONSOLE, clock=lambda: NOW)
        tell(manager, alert(1, rule_id="L100", kind="over_limit", episode=episode))
    (opened,), (closed,) = listener.bodies
    assert opened["labels"] == closed["labels"]
    assert listener.paths == ["/api/v2/alerts"] * 2
    assert datetime.fromisoformat(opened["endsAt"]) == NOW + timedelta(hours=24)
    assert datetime.fromisoformat(closed["endsAt"]) == NOW
    assert datetime.fromisoformat(closed["startsAt"]) < NOW


def test_alertmanager_is_told_an_institution_but_never_a_person(listener):
    hospital = alert(2, subject_kind="institution", subject_id="H43050100001")
    tell(Alertmanager(listener.server.url, console_url=CONSOLE), alert(1), hospital)
    person, institution = listener.bodies[0]
    assert "subject_id" not in person["labels"]
    assert institution["labels"]["subject_id"] == "H43050100001"
    assert "p1_secret" not in json.dumps(listener.bodies)


def test_an_opening_and_its_closing_told_together_leave_it_closed(listener):
    manager = Alertmanager(listener.server.url, console_url=CONSOLE, clock=lambda: NOW)
    tell(manager, alert(1), alert(1, episode="closed"))
    (only,) = listener.bodies[0]
    assert datetime.fromisoformat(only["endsAt"]) == NOW


@pytest.mark.parametrize("severity", SEVERITIES)
def test_every_severity_has_a_label(listener, severity):
    tell(Alertmanager(listener.server.url, console_url=CONSOLE), alert(sev_deg=severity))
    assert listener.bodies[0][0]["labels"]["severity"] == SEVERITIES[severity][0]
