"""What-if: the log under another policy says what would have been different, and leaves everything as it was."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from msgspec import structs

from connectors.codec import encode_fact
from connectors.embedded import MockKafka, RedisServer
from connectors.log_reader import log_end
from connectors.policy_files import read_policy_dir
from connectors.topology import Topics, partition_of
from risk.facts import AuthorizationRequested, Fact, PolicyActivated
from risk.policy import parse_policy
from streams.city.canonical import signed_up
from streams.city.settlements import settlements_only
from streams.city.world import signed_person
from streams.replay import run_replay
from streams.settings import Settings
from streams.stop import Stop
from tests.pens import pen

SHIPPED = Path(__file__).parents[2] / "config" / "policies" / "shaoyang"
NOW = datetime.now(UTC).replace(microsecond=0)
Edit = tuple[str, str, str]


@pytest.fixture
def settings(mock_kafka: MockKafka, redis_62: RedisServer, topics: Topics) -> Settings:
    files = read_policy_dir(SHIPPED)
    policy = parse_policy(files)
    first = encode_fact(
        PolicyActivated(event_id="policy", occurred_at=NOW, psn_no="", source="engine", version=policy.version,
                        digest=policy.digest, files=files)
    )  # fmt: skip
    client = pen(mock_kafka.bootstrap)
    for topic in (topics.events, topics.subjects):
        for partition in range(4):
            client.produce(topic, first, partition=partition)
    client.flush(10)
    return Settings(kafka=mock_kafka.bootstrap, redis=redis_62.url, prefix=topics.prefix, clock="log")


@pytest.fixture
def other(tmp_path: Path) -> Callable[..., Path]:
    """The shipped policy with a few words replaced."""

    def edited(*edits: Edit) -> Path:
        directory = tmp_path / "policy"
        directory.mkdir(exist_ok=True)
        for path in SHIPPED.glob("*.toml"):
            text = path.read_text(encoding="utf-8")
            for name, before, after in edits:
                assert name != path.name or before in text
                text = text.replace(before, after) if name == path.name else text
            (directory / path.name).write_text(text, encoding="utf-8")
        return directory

    return edited


def append(settings: Settings, *facts: Fact) -> None:
    client = pen(settings.kafka)
    for fact in facts:
        client.produce(settings.topics.events, encode_fact(fact), partition=partition_of(fact.psn_no, 4))
    client.flush(10)


def replayed(settings: Settings, directory: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict]:
    code = run_replay(settings, directory, as_json=True)
    return code, orjson.loads(capsys.readouterr().out)


def wants_credit(amount_fen: int) -> list[Fact]:
    person = signed_person("430502-replay", funding_mode="credit_line", bank_line_fen=500_000)
    asked = AuthorizationRequested(
        event_id="ask-1", occurred_at=NOW, psn_no=person.psn_no, authorization_id="A1", attempt="1", reply_to="nobody",
        mdtrt_id="V1", fixmedins_code="H43050200001", service="visit_first", med_type="11", amount_fen=amount_fen,
    )  # fmt: skip
    return [*signed_up(person, int((NOW.timestamp() - 60) * 1000)), asked]


def test_the_same_policy_differs_in_nothing(settings, capsys):
    append(settings, *settlements_only(200, 20, seed=3), *wants_credit(100_000))
    code, found = replayed(settings, SHIPPED, capsys)
    assert (code, found["differs"], found["differences"]) == (0, False, [])
    assert found["same"] > 3


def test_a_raised_line_names_the_alerts_that_would_be_gone(settings, other, capsys):
    bill = next(iter(settlements_only(1, 1, seed=3)))
    append(settings, *(structs.replace(bill, event_id=f"bill-{n}", setl_id=f"S{n}", mdtrt_id=f"V{n}", med_type="11",
                               psn_no=f"p{n}", medfee_sumamt_fen=fen) for n, fen in enumerate((199_999, 200_000,
                                                                                              250_000)))
    )  # fmt: skip
    before = log_end(settings.kafka, settings.topics.events, 0)
    raised = other(("rules.toml", "threshold_fen = 200_000", "threshold_fen = 250_000"))
    code, found = replayed(settings, raised, capsys)
    assert code == 1
    (gone,) = [each for each in found["differences"] if each["change"] == "gone"]
    assert (gone["topic"], gone["of"], gone["count"]) == ("alerts", "P13·1 opened", 1)
    assert gone["examples"][0]["subject_id"] == "p1"
    (changed,) = [each for each in found["differences"] if each["change"] == "changed" and "P13" in each["of"]]
    assert changed["examples"][0]["changed"]["allowed"] == [200_000, 250_000]
    assert log_end(settings.kafka, settings.topics.events, 0) == before, "nothing is published"


def test_a_request_is_decided_again_and_the_change_of_outcome_is_named(settings, other, capsys):
    append(settings, *wants_credit(100_000))
    lower = other(("limits.toml", '"A", service = "visit_first", insutype = "*", limit_fen = 500_000',
                   '"A", service = "visit_first", insutype = "*", limit_fen = 60_000'),
                  ("limits.toml", '"B", service = "visit_first", insutype = "*", limit_fen = 300_000',
                   '"B", service = "visit_first", insutype = "*", limit_fen = 60_000'),
                  ("limits.toml", '"C", service = "visit_first", insutype = "*", limit_fen = 100_000',
                   '"C", service = "visit_first", insutype = "*", limit_fen = 60_000'))  # fmt: skip
    code, found = replayed(settings, lower, capsys)
    assert code == 1
    (decided,) = [each for each in found["differences"] if each["topic"] == "decisions"]
    assert (decided["change"], decided["of"]) == ("changed", "authorization approve → partial")
    assert decided["examples"][0]["changed"]["approved_fen"] == [100_000, 60_000]


def test_a_hold_that_another_policy_ends_sooner_ends_though_the_log_has_no_timer_for_it(settings, other, capsys):
    bill = structs.replace(next(iter(settlements_only(1, 1, seed=3))), psn_no="430502-replay", mdtrt_id="elsewhere")
    append(settings, *wants_credit(100_000), structs.replace(bill, occurred_at=NOW + timedelta(minutes=20)))
    code, found = replayed(settings, other(("holds.toml", "{ minutes = 30 }", "{ minutes = 10 }")), capsys)
    assert code == 1
    assert "decisions added authorization release" in {
        f"{each['topic']} {each['change']} {each['of']}" for each in found["differences"]
    }


def test_a_timer_that_no_lane_has_appended_yet_is_no_difference(settings, capsys):
    bill = structs.replace(next(iter(settlements_only(1, 1, seed=3))), psn_no="430502-replay", mdtrt_id="elsewhere")
    append(settings, *wants_credit(100_000), structs.replace(bill, occurred_at=NOW + timedelta(minutes=40)))
    assert replayed(settings, SHIPPED, capsys)[0] == 0


def test_a_policy_that_leaves_credit_of_the_log_without_an_answer_is_refused(settings, tmp_path):
    for name in ("policy.toml", "rules.toml"):
        (tmp_path / name).write_text((SHIPPED / name).read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(Stop, match="cannot be decided again"):
        run_replay(settings, tmp_path, as_json=False)


def test_without_topics_it_could_not_run(settings):
    with pytest.raises(Stop, match="topics create"):
        run_replay(replace(settings, prefix="nowhere."), SHIPPED, as_json=False)
