"""A second rule book beside the live one, on a real Kafka: it names what would change and changes nothing."""

import shutil
import threading
from pathlib import Path

import pytest

from connectors.embedded import RealKafka, RedisServer
from connectors.topology import Topics
from risk.outputs import Output
from streams.activate import activate_policy
from streams.replay_report import Differences
from streams.settings import Settings
from streams.shadow import run_shadow
from streams.shards import Effects
from streams.twin import Both
from tests.streams.lane_world import POLICY, World, settlements

pytestmark = pytest.mark.kafka
RAISED_FEN = 250_001  # the planted large bills are of 250,000


@pytest.fixture
def raised(tmp_path: Path) -> Path:
    """The shipped policy with P13's line above the planted bills."""
    directory = tmp_path / "raised"
    shutil.copytree(POLICY, directory)
    rules = directory / "rules.toml"
    text = rules.read_text(encoding="utf-8")
    assert "value.threshold_fen = 200_000" in text
    rules.write_text(text.replace("value.threshold_fen = 200_000", f"value.threshold_fen = {RAISED_FEN}"), "utf-8")
    return directory


def test_a_shadow_names_each_alert_that_would_change_and_its_policy_can_follow(
    real_kafka: RealKafka, redis_7: RedisServer, topics: Topics, raised: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(real_kafka, redis_7, topics)
    settings = Settings(kafka=real_kafka.bootstrap, redis=redis_7.url, prefix=topics.prefix, clock="log")
    stopped, codes = threading.Event(), []
    observer = threading.Thread(
        target=lambda: codes.append(run_shadow(settings, raised, stopped=stopped, as_json=False))
    )
    records = settlements(600)
    world.append(records[:300])
    observer.start()
    lane = world.lane()
    world.drain(lane)
    world.append(records[300:])
    world.drain(lane)
    stopped.set()
    observer.join(60)

    said = capsys.readouterr()
    live = {each["alert_id"] for each in world.outputs(topics.alerts) if each["rule_id"] == "P13"}
    assert len(live) > 10
    named = {line for line in said.err.splitlines() if line.startswith("gone")}
    assert {line.split("alerts 预警  P13·1 opened  ")[1].split("/")[0] for line in named} == live
    assert codes == [1]
    assert f"P13·1 opened  × {len(live)}" in said.out

    activate_policy(settings, raised)
    world.append((psn_no, value.replace(b"bench1:", b"later:").replace(b'"S1.', b'"T1.')) for psn_no, value in records)
    world.drain(lane)
    after = {each["alert_id"] for each in world.outputs(topics.alerts) if each["rule_id"] == "P13"}
    assert after == live, "the raised line is in force, and no planted bill reaches it"
    world.assert_proved()
    world.close()


def test_a_shadow_of_the_live_policy_has_nothing_to_say(
    real_kafka: RealKafka, redis_7: RedisServer, topics: Topics, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(real_kafka, redis_7, topics)
    world.append(settlements(200))
    settings = Settings(kafka=real_kafka.bootstrap, redis=redis_7.url, prefix=topics.prefix, clock="log")
    stopped = threading.Event()
    stopped.set()
    assert run_shadow(settings, POLICY, stopped=stopped, as_json=False) == 0
    assert "no difference" in capsys.readouterr().out
    world.close()


def test_what_the_other_policy_says_later_is_no_difference_in_the_end() -> None:
    order = {"order_id": "or_1", "attempt": 1, "kind": "debit", "amount_fen": 100}
    both, found = Both(), Differences(policy="other")
    both.before.note(Effects("timer.due", "applied", [Output("withholding", "p", "or_1", order)]))
    assert [kind for kind, _ in both.settle(found)] == [("withholding", "gone", "debit")], "so far"
    both.after.note(Effects("timer.due", "applied", [Output("withholding", "p", "or_1", order)]))
    assert both.settle(found) == []
    both.finish(found)
    assert (found.equal, found.any) == (1, False)
