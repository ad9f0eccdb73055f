"""T01: one asker (a token of the API) asks about many different persons within an hour, or about some that he may not.

The newest query about a person stands for all about him: a person asked for again is counted once. The rows of the
newest thousand persons are enough, since no line is drawn above that: the count is exact up to there. Queries come as
the API's processes log them; one that is behind its asker's newest, by a clock or a broker, is taken to be of that
instant, so that windows only ever move on and the rows need no sorting.
"""

from bisect import bisect_right
from struct import Struct

from msgspec.structs import replace

from risk.activity import Episode, Stored, hash64
from risk.alerts import Crossing
from risk.facts.query import QueryLogged
from risk.moment import Moment
from risk.outputs import Output
from risk.policy_rules import PERSONS_ASKED_MOST, Level, QueryRule

_ROW = Struct(">QQ")  # the newest query's instant, the person


class Asker(Stored, frozen=True):
    """What is remembered of one asker: a row for each person asked for, and for each denied, in the order of time."""

    newest_ms: int = 0
    asked: bytes = b""
    denied: bytes = b""
    episodes: tuple[Episode, ...] = ()


NEVER_ASKED = Asker()


def person_of(psn_no: str) -> int:
    """How a person is told apart on the asker's shard, where no number of his may stand."""
    return hash64(psn_no) >> 11


def judged(asker: Asker, fact: QueryLogged, moment: Moment) -> tuple[Asker, list[Output]]:
    """The asker after one query, and what it ends and opens; an ordinary one leaves no trace."""
    clause = moment.terms.get("T01")
    if clause is None or clause.value.is_ordinary(fact):
        return asker, []
    rule: QueryRule = clause.value
    now_ms, is_denied = max(asker.newest_ms, moment.occurred_ms), fact.outcome == "denied"
    rows = {"asked": asker.asked, "denied": asker.denied}
    floor_ms = now_ms - max(level.window_ms for level in rule.levels)
    after = {name: _with_person(each, fact.person, now_ms, floor_ms) for name, each in rows.items()}
    if not is_denied:
        after["denied"] = asker.denied
    kept, closed, opened = list(asker.episodes), list[Output](), list[Output]()
    for level, counts in zip(rule.levels, rule.counts, strict=True):
        before, observed = (_persons(each[counts], now_ms - level.window_ms) for each in (rows, after))
        known = next((each for each in kept if each.level == level.level), None)
        if known is not None and before < known.ends_below:
            kept.remove(known)
            closed.append(_alert(known, level, before, (fact, moment), word="closed"))
            known = None
        if known is None and observed >= level.theta and (is_denied or counts == "asked"):
            kept.append(Episode("T01", level.level, 0, fact.event_id, level.rearm, level.theta))
            opened.append(_alert(kept[-1], level, observed, (fact, moment), word="opened"))
    return replace(asker, newest_ms=now_ms, **after, episodes=tuple(sorted(kept))), closed + opened


def _with_person(rows: bytes, person: int, at_ms: int, floor_ms: int) -> bytes:
    """The person's row is the last one; what no window holds any more leaves, and else the oldest makes room for it."""
    kept = b"".join(_ROW.pack(*each) for each in _ROW.iter_unpack(rows) if each[0] > floor_ms and each[1] != person)
    return (kept + _ROW.pack(at_ms, person))[-PERSONS_ASKED_MOST * _ROW.size :]


def _persons(rows: bytes, after_ms: int) -> int:
    """How many were asked for after an instant."""
    count = len(rows) // _ROW.size
    return count - bisect_right(range(count), after_ms, key=lambda at: _ROW.unpack_from(rows, at * _ROW.size)[0])


def _alert(episode: Episode, level: Level, observed: int, told: tuple[QueryLogged, Moment], *, word: str) -> Output:
    fact, moment = told
    named = ("T01", level.level, level.kind, level.sev, "agency", fact.asked_by, episode.crossing_id)
    crossing = Crossing(*named, moment.occurred_ms, moment.stamp_ms, observed, episode.allowed)
    return moment.alert(moment.terms["T01"], crossing, episode=word, window_ms=level.window_ms)
