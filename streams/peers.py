"""`xinmai peers publish`: what institutions and doctors had in common on the days before one, appended for the rules
that hold each beside the others (risk/peers.py). It reads Redis, judges nobody, and names nobody.

It is an operator's cron: nightly, after midnight. Said again for the same day it appends what a partition has of it
already: one that was cut short gives the rest the same baselines, whatever bills came in between.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

import orjson

from connectors.append import Record, append_all
from connectors.codec import encode_fact
from connectors.kafka import cluster_identity, producer
from connectors.state_codec import unpack_baselines, unpack_history, unpack_subject
from connectors.store import KEY_PREFIX, Store
from connectors.topology import tags
from risk.facts import PeersPublished
from risk.local_time import SHANGHAI, day_of, day_start_ms, to_date, to_datetime
from risk.peers import Baseline, Baselines, ranked
from risk.policy import Policy, parse_policy
from risk.policy_counters import LETTERS, SUBJECTS, CounterRule
from risk.subject_plan import Look, counters_beside, plan_of
from risk.subjects import Day, History, Subject, summed
from streams.stop import Stop

if TYPE_CHECKING:
    from streams.settings import Settings

_ACK_WITHIN_S = 30.0


Looks = dict[str, tuple[Look, CounterRule]]
"""By measure: what asks for it, and for which rule."""


class Member(NamedTuple):
    """An institution or a doctor, with what it did."""

    kind: str
    code: str
    subject: Subject
    history: History


class Published(NamedTuple):
    """The facts of one day, and how many partitions have them."""

    facts: list[PeersPublished]
    partitions: int


def run_peers_publish(settings: "Settings", *, on: str | None, as_json: bool) -> int:
    """Publish the baselines of the days before `on` (today, if not named); print each. Exit 2 if there are none."""
    try:
        day = date.fromisoformat(on) if on else datetime.now(SHANGHAI).date()
    except ValueError as error:
        raise Stop(f"日期无效：{on}", f"--on is {on!r}, expected 2026-04-01") from error
    published = publish_peers(settings, day_of(day))
    for fact in published.facts:
        if as_json:
            print(encode_fact(fact).decode())
        else:
            print(
                f"{fact.subject} {' / '.join(fact.counters)}, {fact.window_days} days: {fact.members} members, "
                f"p50 {fact.p50_x1000000 / 1e6:,.3f}, p90 {fact.p90_x1000000 / 1e6:,.3f}"
            )
    return 0


def publish_peers(settings: "Settings", day: int) -> Published:
    """Compute every baseline that the policy of `day` asks for, and append it to each partition of `subjects.v1`."""
    topic = settings.topics.subjects
    _, found = cluster_identity(settings.kafka, [topic])
    if topic not in found:
        raise Stop(f"没有主题 {topic}：请先运行 xinmai topics create", f"no topic {topic}: run xinmai topics create")
    partitions = found[topic][1]
    store = Store(settings.redis)
    try:
        looks = looks_of(_policies(store, partitions), day)
        if not looks:
            raise Stop(
                "现行规则中没有与同类比较的规则，无需发布",
                f"no rule in force on {to_date(day)} compares with peers: nothing to publish. "
                "If nothing runs yet, start a worker first.",
            )
        recorded = _recorded(store, partitions, day)
        missing = {key: asked for key, asked in looks.items() if key not in recorded}
        baselines = recorded | baselines_of(_subjects(store, partitions), missing, day)
    finally:
        store.close()
    facts = facts_of(looks, baselines, day)
    records = [Record(topic, "", encode_fact(fact), partition) for fact in facts for partition in range(partitions)]
    if records:
        append_all(producer(settings.kafka), records, timeout_s=_ACK_WITHIN_S)
    return Published(facts, partitions)


def _policies(store: Store, partitions: int) -> list[Policy]:
    """The policies that the shards stand under, each once."""
    texts = {value for tag in tags("q", partitions) for _, value in store.values_at(f"{KEY_PREFIX}{tag}:policy")}
    return [parse_policy(orjson.loads(text)["files"]) for text in sorted(texts)]


def looks_of(policies: Iterable[Policy], day: int) -> Looks:
    """The measures of peers in these policies, each once, with the rule that says whose it is."""
    return {
        look.peers: (look, policy.on(day)[look.rule_id].value) for policy in policies for look in _asked(policy, day)
    }


def _asked(policy: Policy, day: int) -> list[Look]:
    return [look for look in plan_of(policy.on(day)).looks.values() if look.peers]


def _recorded(store: Store, partitions: int, day: int) -> Baselines:
    """What any partition has of this day already."""
    stored = [value for tag in tags("q", partitions) for _, value in store.values_at(f"{KEY_PREFIX}{tag}:peers")]
    known = [each for value in stored for each in unpack_baselines(value).items()]
    return {key: baseline for key, baseline in known if baseline.day == day - 1}


def baselines_of(subjects: Iterable[Member], looks: Looks, day: int) -> Baselines:
    """What each measure comes to over the days before `day`, of every member's own."""
    sums: dict[str, list[tuple[int, ...]]] = {key: [] for key in looks}
    for member in subjects:
        for key, (look, rule) in looks.items():
            if _is_peer(member, rule):
                sums[key].append(_own(look, [*member.history.days, member.subject.day], day - 1))
    return {key: Baseline(day - 1, *ranked(sums[key], look.measure.least)) for key, (look, _) in looks.items()}


def _is_peer(member: Member, rule: CounterRule) -> bool:
    """Of the rule's kind; a pharmacy is not held beside hospitals: national codes begin with H or P (contract.md)."""
    return member.kind == SUBJECTS[rule.subject] and (
        not rule.types or member.code.startswith(tuple(LETTERS[each] for each in rule.types))
    )


def facts_of(looks: Looks, baselines: Baselines, day: int) -> list[PeersPublished]:
    """The same as facts of that day."""
    return [_fact(look, rule.subject, baselines[key], day) for key, (look, rule) in looks.items()]


def _own(look: Look, days: list[Day], end: int) -> tuple[int, ...]:
    """One member's counters over the days up to `end`; of growth, its one over them and over as many before."""
    whole = summed(days, end - look.days, end)
    own = tuple(whole[place] for place in look.measure.of)
    if look.measure.kind != "growth_over_peers":
        return own
    return *own, summed(days, end - 2 * look.days, end - look.days)[look.measure.of[0]]


def _subjects(store: Store, partitions: int) -> Iterator[Member]:
    for tag in tags("q", partitions):
        start = f"{KEY_PREFIX}{tag}:"
        for key in store.keys_of(tag):
            kind, _, code = key.removeprefix(start).partition(":")
            if kind in SUBJECTS.values():
                values = dict(store.hash_values(key))
                history = unpack_history(values["h"]) if values.get("h") else History()
                yield Member(kind, code, unpack_subject(values["w"]) if values.get("w") else Subject(), history)


def _fact(look: Look, subject: str, baseline: Baseline, day: int) -> PeersPublished:
    return PeersPublished(
        event_id=f"peers:{look.peers}:{to_date(day)}",
        occurred_at=to_datetime(day_start_ms(day)),
        psn_no="",
        source="engine",
        subject=subject,  # type: ignore[arg-type]  # the policy's shape knows these two
        counters=counters_beside(look.measure),
        window_days=look.days,
        least=look.measure.least,
        members=baseline.members,
        p50_x1000000=baseline.p50_x1000000,
        p90_x1000000=baseline.p90_x1000000,
    )
