"""A rule of the grammar hearing of one fact: which rules do, what is excluded for them, and what they say."""

from functools import lru_cache
from typing import NamedTuple

from risk.activity import Visit
from risk.alerts import Crossing
from risk.care import Above, Stay
from risk.facts import Fact
from risk.moment import Moment
from risk.outputs import Output
from risk.policy_measures import MeasuredRule
from risk.terms import Clause, Terms


class Heard(NamedTuple):
    """One rule hearing of one fact."""

    name: str
    clause: Clause
    fact: Fact
    moment: Moment


@lru_cache(maxsize=64)
def rules_of(terms: Terms, counts: str) -> tuple[tuple[str, Clause], ...]:
    """The rules of a day that count this, in the order of their names."""
    found = [(name, terms[name]) for name in sorted(terms)]
    return tuple(each for each in found if isinstance(each[1].value, MeasuredRule) and each[1].value.counts == counts)


def exclusions_of(terms: Terms, care: Visit | Stay, *, transfer: bool = False) -> tuple[str, ...]:
    """The names under which this care is excluded; `transfer`: one was on file."""
    return _excluded(terms, care.med_type, care.diag_group, emergency=care.emergency, transfer=transfer)


@lru_cache(maxsize=4096)
def _excluded(terms: Terms, med_type: str, diag_group: str, *, emergency: bool, transfer: bool) -> tuple[str, ...]:
    clause = terms.get("exclusions")
    if clause is None:
        return ()
    return clause.value.of(med_type, diag_group, emergency=emergency, transfer=transfer)  # type: ignore[no-any-return]


@lru_cache(maxsize=16_384)
def is_nobody(code: str, terms: Terms) -> bool:
    """A code that stands for no institution or doctor: nobody is accused under it, and two of them are not one."""
    clause = terms.get("placeholder_codes")
    return clause is not None and bool(clause.value.matches(code))


def closed(heard: Heard, above: Above, left: int) -> Output:
    """The end of an episode; it repeats the id that `opened` had."""
    return alert_of(heard, above, left, (heard.moment.event_id,), word="closed", seen_at=above.seen_at)


def alert_of(
    heard: Heard,
    above: Above,
    observed: int,
    evidence: tuple[str, ...],
    *,
    word: str = "opened",
    place: str = "",
    seen_at: str | None = None,
    item: str | None = None,
) -> Output:
    """What the rule says of this fact; of the institution `place` where one is named, and else at the fact's, or at
    `seen_at`.
    """
    rule, moment = heard.clause.value, heard.moment
    level = next((each for each in rule.levels if each.level == above.level), rule.levels[0])
    code = getattr(heard.fact, "fixmedins_code", None) if seen_at is None else seen_at or None
    crossing = Crossing(
        above.rule_id,
        above.level,
        level.kind,
        level.sev,
        "institution" if place else "person",
        place or heard.fact.psn_no,
        above.crossing_id,
        moment.occurred_ms,
        moment.stamp_ms,
        observed,
        above.allowed,
    )
    return moment.alert(
        heard.clause,
        crossing,
        episode=word,
        evidence=evidence,
        window_ms=level.window_ms,
        mdtrt_id=getattr(heard.fact, "mdtrt_id", None),
        fixmedins_code=place or code,
        med_list_codg=item,
    )
