"""Do the parameters of a policy fit each other on every day? Each alone may be right and the whole unusable."""

from collections.abc import Iterable, Iterator

from risk.counters import COUNTERS
from risk.policy_counters import CounterRule
from risk.policy_lines import LINE_COUNTERS
from risk.policy_measures import MeasuredRule
from risk.policy_parameters import CREDIT_CORE
from risk.policy_rules import Rule
from risk.policy_values import UNRATED, LevelSet, LimitTable
from risk.subject_plan import Plan
from risk.terms import Terms
from risk.workdays import Workdays

_OF_ITEMS = ("P14", "M06")


def disagreements(spans: Iterable[Terms], workdays: Workdays) -> list[str]:
    """Every misfit, with the days it concerns, once per cause."""
    found: dict[str, str] = {}
    offered: tuple[str, ...] = ()
    for terms in spans:
        services = terms.get("services_on")
        offered = services.value if services is not None and services.value else offered
        for cause, misfit in _misfits(terms, offered, workdays):
            found.setdefault(cause, f"{terms.span()}: {misfit}")
    return list(found.values())


def _misfits(terms: Terms, offered: tuple[str, ...], workdays: Workdays) -> Iterator[tuple[str, str]]:
    """`offered`: the services of this day, or the last ones: what was lent outlives the offer."""
    if ("Q01" in terms or "Q02" in terms) and "placeholder_codes" not in terms:
        yield (
            "placeholder_codes",
            "Q01 and Q02 look for placeholder_codes, and there are none. Add [[placeholder_codes]].",
        )
    if ("D06" in terms or "H16" in terms) and "coded_items" not in terms:
        yield "coded_items", "D06 and H16 look at coded_items, and there are none. Add [[coded_items]]."
    if "item_limits" not in terms and any(rule in terms and _looks_at_misfits(terms[rule].value) for rule in _OF_ITEMS):
        yield "item_limits", "P14 and M06 look at item_limits, and there are none. Add [[item_limits]]."
    if "H02" in terms and "P11" not in terms:
        yield "P11", "H02 leaves out of readmissions what P11 leaves out, and there is no P11. Add [[P11]]."
    if "M05" in terms and "P05" not in terms:
        yield "P05", "M05 counts what is beyond P05, and there is no P05. Add [[P05]]."
    yield from _counters_fit(terms)
    yield from _peers_fit(terms)
    yield from _exclusions_fit(terms)
    if not offered:
        return
    missing = [name for name in CREDIT_CORE if name not in terms]
    for name in missing:
        yield (
            name,
            f"{name} has no clause, while services_on offers {', '.join(offered)}, or did. Holds and debts need it "
            f"to their end. Add a [[{name}]] entry from that day.",
        )
    if not workdays.years:
        yield "workdays", "workdays has no year. Deposit holds end on working days. Add workdays.toml."
    if not missing:
        yield from _levels_fit(terms)
        yield from _limits_fit(terms, offered)


def _looks_at_misfits(rule: MeasuredRule) -> bool:
    return any(rule.measure_of(level).kind == "misfits" for level in rule.levels)


def _counters_fit(terms: Terms) -> Iterator[tuple[str, str]]:
    """A rule over what no line counts for, or against a capacity nobody stated, would never speak."""
    counted = {row.counter for row in terms["line_counts"].value.rows} if "line_counts" in terms else set()
    for rule_id in terms:
        rule = terms[rule_id].value
        for measure in rule.measures if isinstance(rule, CounterRule) else ():
            if measure.capacity and "capacities" not in terms:
                yield f"{rule_id} capacities", f"{rule_id} is held against capacities, and there are none. Add a table."
            for name in (COUNTERS[place] for place in measure.of):
                if name in LINE_COUNTERS and name not in counted:
                    yield (
                        f"{rule_id} {name}",
                        f"{rule_id} measures {name}, to which line_counts adds nothing. Add a row.",
                    )


def _peers_fit(terms: Terms) -> Iterator[tuple[str, str]]:
    """What is published of a measure is of one kind of institution: a second kind would be held beside the first."""
    asked_by: dict[str, str] = {}
    for look in Plan(terms).looks.values():
        first = asked_by.setdefault(look.peers, look.rule_id) if look.peers else look.rule_id
        if set(terms[first].value.types) != set(terms[look.rule_id].value.types):
            yield (
                f"{look.rule_id} {look.peers}",
                f"{first} and {look.rule_id} hold other types of institution beside the same peers ({look.peers}). "
                f"Give one of them another window or least.",
            )


def _exclusions_fit(terms: Terms) -> Iterator[tuple[str, str]]:
    told = terms.get("exclusions")
    known = {row.name for row in told.value.rows} if told is not None else set()
    for rule_id in terms:
        value = terms[rule_id].value
        for name in value.exclusions if isinstance(value, Rule) else ():
            if name not in known:
                yield (
                    f"{rule_id} {name}",
                    f"{rule_id} excepts {name}, which exclusions does not describe: such care would be alerted all the "
                    f"same. Add a row to [[exclusions]], or remove it from except.",
                )


def _levels_fit(terms: Terms) -> Iterator[tuple[str, str]]:
    levels: LevelSet = terms["level_set"].value
    eligible: tuple[str, ...] = terms["eligible_levels"].value
    for code in eligible:
        if code.partition(":")[0] not in (*levels.codes, UNRATED):
            yield code, f"eligible_levels names {code}, level_set does not. Name one of {', '.join(levels.codes)}."
    if (levels.lowest in eligible) != terms["d_level_eligible"].value:
        yield (
            "d_level_eligible",
            f"d_level_eligible and eligible_levels disagree on {levels.lowest}. A reader must find one answer. "
            f"Change both together.",
        )


def _limits_fit(terms: Terms, services: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    levels: LevelSet = terms["level_set"].value
    limits: LimitTable = terms["limit"].value
    rated = {(row.level, row.service) for row in limits.rows}
    for level in (*levels.codes, UNRATED):
        for service in services:
            if (level, service) not in rated:
                yield (
                    f"{level} {service}",
                    f"limit has no row for {level}, {service}. Silence is not a number. Add one, 0 if nothing is lent.",
                )
    for level, service in sorted(rated):
        if level not in (*levels.codes, UNRATED):
            yield level, f"limit has a row for {level}, {service}, which level_set does not name. Remove or name it."
