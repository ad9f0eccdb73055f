"""What must be true after a chaos run, and what the proof says when somebody touched the state; by the commands."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import orjson
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from msgspec.structs import replace

from connectors.embedded import RedisServer
from connectors.log_reader import log_end, read_log
from connectors.state_codec import decode_contributed, pack, unpack_credit
from connectors.stored_bytes import value_of
from connectors.topology import tags
from tests.e2e.chaos.city_log import PLANTED, planted
from tests.e2e.chaos.run import PEOPLE, SUBJECTS, Chaos, Summary
from tests.e2e.chaos.watched import ROOT

IDENTITIES = {"alerts": ("alert_id", "episode"), "decisions": ("decision_id",), "withholding": ("order_id", "attempt")}


def checked(
    chaos: Chaos, summary: Summary, second: RedisServer, say: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Every check in turn; an AssertionError names the first that fails."""
    answer: dict[str, Any] = {
        "events": summary.events,
        "kills": dict(summary.kills),
        "unapplied_at_kill": summary.unapplied_at_kill,
        "workers": {"started": summary.joined, "left": summary.left},
        "reclaims": dict(summary.reclaims),
        "chaos_seconds": summary.seconds,
    }
    assert summary.stopped == []
    assert min(summary.unapplied_at_kill) > 0, "every kill while events are unapplied"
    code, verified = _xinmai(chaos, chaos.redis, "verify", "--outputs")
    assert (code, verified["differences"]) == (0, [])
    answer["verify"] = verified
    say(f"verify --outputs: equal ({verified['records']} records, {verified['outputs']} outputs)")
    code, rebuilt = _xinmai(chaos, second, "rebuild")
    assert code == 0
    answer["rebuild"] = rebuilt | {"digests": _assert_equal(chaos.redis, second)}
    say("rebuilt into an empty Redis: equal, byte for byte")
    answer["outputs"] = _duplicates(chaos)
    say("every duplicate carries the same id and the same words")
    answer["planted"] = _planted_found(chaos)
    say(f"planted bursts found: {answer['planted']}")
    answer["tampered"] = _tampered(chaos)
    return answer


def _xinmai(chaos: Chaos, redis: RedisServer, *words: str) -> tuple[int, dict[str, Any]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XINMAI_")}
    environment |= {
        "XINMAI_KAFKA": chaos.kafka,
        "XINMAI_REDIS": redis.url,
        "XINMAI_PREFIX": chaos.topics.prefix,
        "XINMAI_CLOCK": "log",
        "XINMAI_SANDBOX": "1",
    }
    command = [sys.executable, "-m", "streams.command_line", *words, "--json"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr[-3000:]
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


def _values(redis: RedisServer, tag: str) -> dict[tuple[bytes, bytes], bytes]:
    """Everything of one shard but its epoch: that counts claims, and the fold knows nothing of them."""
    found: dict[tuple[bytes, bytes], bytes] = {}
    with redis.client() as client:
        for key in client.scan_iter(match=f"xm:{tag}:*", count=5000):
            if client.type(key) == b"hash":
                found |= {(key, field): value for field, value in client.hgetall(key).items() if field != b"epoch"}
            else:
                found[key, b""] = client.get(key) or b""
    return found


def _assert_equal(live: RedisServer, folded: RedisServer) -> dict[str, str]:
    """State of both hops: what lived through the chaos is what a fold into an empty Redis gives."""
    digests = {}
    for tag in (*tags("p", PEOPLE), *tags("q", SUBJECTS)):
        lived, anew = _values(live, tag), _values(folded, tag)
        assert [key for key in lived.keys() | anew.keys() if lived.get(key) != anew.get(key)] == []
        digests[tag] = lived[f"xm:{tag}:meta".encode(), b"digest"].decode()
    return digests


def _bodies(chaos: Chaos, topic: str) -> list[dict[str, Any]]:
    return [
        orjson.loads(value)
        for number in range(PEOPLE)
        for batch in read_log(chaos.kafka, topic, number, log_end(chaos.kafka, topic, number))
        for _, _, value in batch
    ]


def _duplicates(chaos: Chaos) -> dict[str, dict[str, int]]:
    """At least once means: more than once, word for word."""
    counted = {}
    for kind, names in IDENTITIES.items():
        found: dict[tuple[str, ...], list[bytes]] = defaultdict(list)
        for body in _bodies(chaos, getattr(chaos.topics, kind)):
            identity = tuple(str(body.get(name)) for name in names)
            found[identity].append(orjson.dumps(body, option=orjson.OPT_SORT_KEYS))
        assert all(len(set(bodies)) == 1 for bodies in found.values())
        counted[kind] = {"ids": len(found), "duplicates": sum(map(len, found.values())) - len(found)}
    return counted | {"contributions": _contributions(chaos)}


def _contributions(chaos: Chaos) -> dict[str, int]:
    """The second hop's numbers: sent again, each carries what it carried."""
    found: dict[tuple[int, int, int], Any] = {}
    count = 0
    for target in range(SUBJECTS):
        for batch in read_log(
            chaos.kafka, chaos.topics.subjects, target, log_end(chaos.kafka, chaos.topics.subjects, target)
        ):
            for given in (given for _, _, value in batch if (given := decode_contributed(value))):
                for number, contribution in enumerate(given.contributions, given.first):
                    count += 1
                    assert found.setdefault((target, given.source, number), contribution) == contribution
    return {"ids": len(found), "duplicates": count - len(found)}


def _planted_found(chaos: Chaos) -> dict[str, int]:
    """No burst is lost between two lanes, one of them killed."""
    alerts = {(body["rule_id"], body["subject_id"]) for body in _bodies(chaos, chaos.topics.alerts)}
    wanted = planted(chaos.plan)
    missed = [(label.rule, label.subject, label.day) for label in wanted if (label.rule, label.subject) not in alerts]
    assert missed == [], missed
    assert {label.rule for label in wanted} == set(PLANTED), "the city plants some of each"
    return {rule: sum(label.rule == rule for label in wanted) for rule in sorted({label.rule for label in wanted})}


def _tampered(chaos: Chaos) -> list[str]:
    """One flipped byte, one deleted key, one altered hold, one missing alert: exit 1, each by name."""
    with chaos.redis.client() as client:
        activities = sorted(key for tag in tags("p", PEOPLE) for key in client.scan_iter(match=f"xm:{tag}:a:*"))
        flipped, deleted = activities[0], activities[-1]
        before = {key: client.get(key) for key in (flipped, deleted)}
        first: bytes = before[flipped] or b""
        client.set(flipped, first[:-1] + bytes([first[-1] ^ 1]))
        client.delete(deleted)
        held, credit = _someone_who_holds(client)
        authorization = credit.authorizations[0]
        altered = authorization._replace(held_fen=authorization.held_fen + 1)
        before[held] = client.get(held)
        client.set(held, pack(replace(credit, authorizations=(altered, *credit.authorizations[1:]))))
        lost = _lose_an_alert(chaos)
        code, verified = _xinmai(chaos, chaos.redis, "verify", "--outputs")
        for key, value in before.items():
            client.set(key, value or b"")
    said = verified["differences"]
    assert code == 1
    named = [flipped.decode(), deleted.decode(), held.decode(), lost]
    assert all(any(name in each for each in said) for name in named), (named, said)
    assert len(said) >= len(named)
    return said


def _someone_who_holds(client: Any) -> tuple[bytes, Any]:
    for tag in tags("p", PEOPLE):
        for key in client.scan_iter(match=f"xm:{tag}:c:*", count=1000):
            credit = unpack_credit(value_of(client.get(key)))
            if credit.authorizations:
                return key, credit
    raise AssertionError("nobody holds anything: the city's log is too poor for this check")


def _lose_an_alert(chaos: Chaos) -> str:
    """Cut the head of an alert partition, which no state depends on; an alert that stood there is gone, repetitions
    and all.
    """
    heads = []
    for number in range(PEOPLE):
        low, high = log_end(chaos.kafka, chaos.topics.alerts, number)
        ids = [
            orjson.loads(value)["alert_id"]
            for batch in read_log(chaos.kafka, chaos.topics.alerts, number, (low, high))
            for _, _, value in batch
        ]
        if len(ids) > 1:
            last = len(ids) - ids[::-1].index(ids[0])
            heads.append((last, number, low + last, str(ids[0])))
    assert heads, "no partition has two alerts"
    _, number, cut_at, lost = min(heads)  # the fewest that go with it
    admin = AdminClient({"bootstrap.servers": chaos.kafka})
    for done in admin.delete_records([TopicPartition(chaos.topics.alerts, number, cut_at)]).values():
        done.result()
    return lost
