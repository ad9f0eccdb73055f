"""What the bureau does about alerts over HTTP: recorded with its author before it is answered, or refused by name."""

import asyncio
from typing import Any

import httpx
import pytest

from connectors.handling import decode_act
from connectors.topology import partition_of
from risk.handling import AlertAcknowledged, AlertJudged, AlertSuppressed, AlertUnsuppressed, NoticePrepared
from risk.local_time import to_datetime
from tests.connectors.http.fakes import PARTITIONS, Api

KEY = "a key of sixteen bytes and more"
UNTIL = "2026-03-10T12:00:00+08:00"  # the API of fakes.py lives at 2026-03-10T08:00+08:00

PATHS = ["/v1/suppressions", "/v1/suppressions/su_1/lift", "/v1/alerts/al_1/acknowledgement", "/v1/alerts/a/verdict"]


def suppression(**over: Any) -> dict[str, Any]:
    return {"by": "李四", "reason": "a drill", "until": UNTIL, "rule_id": "P01", **over}


def post(api: Api, path: str, body: Any, token: str = "authority") -> httpx.Response:
    return asyncio.run(_post(api, path, body, token))


async def _post(api: Api, path: str, body: Any, token: str) -> httpx.Response:
    return await api.call("POST", path, body, token=token)


def made(**options: Any) -> Api:
    async def make() -> Api:
        return Api(**options)

    return asyncio.run(make())


def test_a_suppression_is_in_the_log_with_author_and_token_before_it_is_answered():
    api = made()
    answer = post(api, "/v1/suppressions", suppression())
    assert answer.status_code == 200
    ((topic, partition, key, value),) = api.log.records
    act = decode_act(value)
    assert isinstance(act, AlertSuppressed)
    assert (topic, partition, key) == ("handling", partition_of(act.suppression_id, PARTITIONS), act.suppression_id)
    assert (act.by, act.source, act.rule_id, act.reason) == ("李四", "authority-1", "P01", "a drill")
    assert answer.json()["suppression_id"] == act.suppression_id


def test_a_rule_is_known_however_it_is_spelt():
    api = made()
    assert post(api, "/v1/suppressions", suppression(rule_id="p01")).json()["rule_id"] == "P01"


def test_a_persons_number_never_reaches_the_log():
    api = made(key=KEY)
    post(api, "/v1/suppressions", suppression(psn_no="43050000000000000001"))
    assert b"43050000000000000001" not in api.log.records[0][3]
    act = decode_act(api.log.records[0][3])
    assert isinstance(act, AlertSuppressed)
    assert act.subject_id.startswith("p1_")


def test_lifting_acknowledging_and_judging_are_acts_about_what_the_path_names():
    api = made()
    post(api, "/v1/suppressions/su_1/lift", {"by": "li", "reason": "over"})
    post(api, "/v1/alerts/al_1/acknowledgement", {"by": "li"})
    answer = post(api, "/v1/alerts/al_2/verdict", {"by": "li", "verdict": "false", "note": "a dialysis patient"})
    assert answer.status_code == 200
    lifted, acknowledged, judged = [decode_act(value) for *_, value in api.log.records]
    assert isinstance(lifted, AlertUnsuppressed)
    assert isinstance(acknowledged, AlertAcknowledged)
    assert isinstance(judged, AlertJudged)
    assert (lifted.suppression_id, acknowledged.alert_id, judged.alert_id) == ("su_1", "al_1", "al_2")
    assert (judged.verdict, judged.note) == ("false", "a dialysis patient")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (suppression(rule_id=""), "rule_id"),
        (suppression(rule_id="P999"), "rule_id"),
        (suppression(rule_id="annual_cap"), "rule_id"),
        (suppression(until="2026-03-10T07:59:59+08:00"), "until"),
        (suppression(until="2026-04-10T08:00:00+08:00"), "until"),
        (suppression(until="2026-03-10T12:00:00"), "until"),
        (suppression(reason=" "), "reason"),
        (suppression(by=""), "by"),
        (suppression(psn_no="1", dr_code="2"), "dr_code"),
        ({key: value for key, value in suppression().items() if key != "until"}, "until"),
    ],
)
def test_a_suppression_that_may_not_be_is_refused_by_its_field_and_not_recorded(body, field):
    api = made()
    answer = post(api, "/v1/suppressions", body)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert api.log.records == []


@pytest.mark.parametrize("token", ["hospital", "pharmacy", "bank", "audit"])
@pytest.mark.parametrize(
    "path",
    ["/v1/suppressions", "/v1/suppressions/su_1/lift", "/v1/alerts/al_1/acknowledgement", "/v1/alerts/a/verdict"],
)
def test_only_the_bureau_has_a_word_about_alerts(token, path):
    api = made()
    assert post(api, path, suppression(), token).status_code == 403
    assert api.log.records == []


def test_what_was_not_recorded_is_not_answered_as_done():
    api = made()
    api.log.full = True
    answer = post(api, "/v1/suppressions", suppression())
    assert (answer.status_code, answer.json()["code"]) == (503, "LOG_AWAY")


def test_an_id_longer_than_any_of_ours_names_nothing():
    api = made()
    assert post(api, f"/v1/alerts/{'a' * 65}/verdict", {"by": "li", "verdict": "false"}).status_code == 404
    assert api.log.records == []


def notice(number: int) -> NoticePrepared:
    members = ((f"al_{number}", "opened"), ("al_9", "escalated"))
    at = to_datetime(0)
    return NoticePrepared(at=at, by="engine", notice_id=f"nt_{number}", route="wecom", cause="flood", members=members)


async def _get(api: Api, path: str, token: str) -> httpx.Response:
    return await api.call("GET", path, token=token)


def test_who_followed_the_link_of_a_message_finds_its_members():
    async def scenario() -> None:
        api = Api()
        api.handling.acts.append(notice(1))
        first = await _get(api, "/v1/notices/nt_1", "authority")
        assert first.json() == {
            "notice_id": "nt_1",
            "at": "1970-01-01T08:00:00+08:00",
            "route": "wecom",
            "cause": "flood",
            "members": [{"alert_id": "al_1", "episode": "opened"}, {"alert_id": "al_9", "episode": "escalated"}],
        }
        assert (await _get(api, "/v1/notices/nt_2", "audit")).status_code == 404
        api.handling.acts.append(notice(2))
        assert (await _get(api, "/v1/notices/nt_2", "audit")).status_code == 200
        api.handling.away = True
        assert (await _get(api, "/v1/notices/nt_1", "audit")).status_code == 200  # what was read is known
        assert (await _get(api, "/v1/notices/nt_3", "audit")).status_code == 503

    asyncio.run(scenario())


@pytest.mark.parametrize("token", ["hospital", "pharmacy", "bank"])
def test_a_counter_learns_no_members(token):
    async def scenario() -> None:
        api = Api()
        api.handling.acts.append(notice(1))
        assert (await _get(api, "/v1/notices/nt_1", token)).status_code == 403

    asyncio.run(scenario())
