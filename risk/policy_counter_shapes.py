"""How a rule about institutions and staff (policy_counters.py) is read from TOML."""

from itertools import pairwise
from typing import cast

from risk.counters import COUNTERS, place_of
from risk.local_time import DAY_MS
from risk.months import MONTHLY
from risk.policy_counters import (
    MEASURES,
    OF_PEERS,
    OF_PEOPLE,
    OF_THE_CALENDAR,
    SPANS,
    SUBJECTS,
    UNITS,
    CounterRule,
    DayMeasure,
)
from risk.policy_lines import RESOURCES
from risk.policy_reading import Table, near, read_texts
from risk.policy_rules import Kind, Level
from risk.policy_shapes import KINDS, Shape
from risk.terms import PolicyError

_GRAVEST = 4
_RANKS = {"p50": 50, "p90": 90}
_OF_INSTITUTIONS = ("over_capacity", "one_prescriber")
_OF_A_BILL = (
    *("small_hours", "night", "inpatient_bills", "outpatient_bills", "blank_records", "first_seen"),
    *("holiday_admissions", "readmissions", "unsigned_rx_bills", "long_rx_bills"),
)
"""What a bill is, or is not: of these no institution has more than it has bills."""
_COUNTERS_OF = {"share": (2,), "growth": (1, 2), "over_peers": (1, 2)}  # the others: one


def counter_rule(*kinds: str) -> Shape:
    """A rule about a subject's days that measures one of these; anything else in its place would run unseen."""

    def read(content: object, where: str) -> CounterRule:
        return _rule(Table(content, where), kinds)

    return read


def _rule(table: Table, kinds: tuple[str, ...]) -> CounterRule:
    subject = table.text("subject", choices=tuple(SUBJECTS))
    usual = _measure(Table(table.take("measure"), table.place("measure")), kinds)
    rows = table.rows("levels")
    levels, measures = [], []
    for number, row in enumerate(rows, 1):
        own = row.has("measure")
        measure = _measure(Table(row.take("measure"), row.place("measure")), kinds) if own else usual
        if measure.kind in _OF_INSTITUTIONS and subject != "institution":
            raise PolicyError(
                f"{row.where} measures {measure.kind} of {subject}: only an institution has beds or sells to patients. "
                f'Write subject = "institution".'
            )
        levels.append(_level(row, number, subject, measure))
        measures.append(measure)
    rule = CounterRule(
        subject=subject,
        types=_texts(table, "types", ("1", "2")) if subject == "institution" else (),
        med_types=_texts(table, "med_types") if OF_PEOPLE & {*kinds} else (),
        known_days=table.integer("known_days", least=1, most=365) if table.has("known_days") else 0,
        precision_percent=table.integer("precision_percent", least=1, most=100),
        measures=tuple(measures),
        levels=tuple(levels),
        text_zh=table.sentence("text_zh"),
        text_en=table.sentence("text_en"),
    )
    table.finish()
    _rising(rule, table.place("levels"))
    return rule


def _texts(table: Table, key: str, choices: tuple[str, ...] | None = None) -> tuple[str, ...]:
    return read_texts(table.take(key), table.place(key), choices=choices) if table.has(key) else ()


def _measure(table: Table, kinds: tuple[str, ...]) -> DayMeasure:
    """`{ share = ["blank_records", "settlements"], unit = "per_mille", least = 100 }`."""
    named = [kind for kind in MEASURES if table.has(kind)]
    if len(named) != 1 or named[0] not in kinds:
        raise PolicyError(
            f"{table.where} names {', '.join(named) or 'no measure'}. A level of this rule measures one thing. "
            f"Write one of {', '.join(kinds)}."
        )
    kind = named[0]
    if kind == "distinct":
        table.text(kind, choices=("psn_no",))
        table.finish()
        return DayMeasure(kind, ())
    if kind == "one_prescriber":
        table.text(kind, choices=("dr_code",))
        scale, least = UNITS[table.text("unit", choices=tuple(UNITS))], table.integer("least", least=1)
        measure = DayMeasure(kind, (), scale, least, persons=table.integer("persons", least=2, most=1_000))
        table.finish()
        return measure
    counters = _counters(table, kind)
    scale = 1 if kind == "sum" else UNITS[table.text("unit", choices=tuple(UNITS))]
    least = 1 if kind in ("sum", "over_capacity") else table.integer("least", least=1)
    measure = DayMeasure(kind, counters, scale, least)
    if kind in OF_PEERS:
        rank = _RANKS[table.text("rank", choices=tuple(_RANKS))]
        measure = measure._replace(rank=rank, least_peers=table.integer("least_peers", least=2))
    elif kind == "over_capacity":
        measure = measure._replace(capacity=table.text("of", choices=RESOURCES))
    elif kind == "of_year":
        measure = measure._replace(month=table.integer("month", least=1, most=12))
    table.finish()
    return measure


def _counters(table: Table, kind: str) -> tuple[int, ...]:
    content, where = table.take(kind), table.place(kind)
    names = (content,) if isinstance(content, str) else read_texts(content, where)
    wanted = _COUNTERS_OF.get(kind, (1,))
    if len(names) not in wanted:
        raise PolicyError(
            f"{where} names {len(names)} counters. A sum (over_capacity too) is of one, a share of one in another, "
            f"growth and over_peers of one or of the mean that two make. Write {kind} = "
            f"{' or '.join(_like(count) for count in wanted)}."
        )
    known = MONTHLY if kind in OF_THE_CALENDAR else COUNTERS
    for name in names:
        if name not in known:
            span = "month" if known is MONTHLY else "day"
            raise PolicyError(
                f"{where} names {name!r}, which no {span} counts. A rule over nothing would never speak. "
                f"Correct it: {near(str(name), known)}"
            )
    return tuple(place_of(name) for name in names)


def _like(count: int) -> str:
    return '"settlements"' if count == 1 else '["medfee_fen", "settlements"]'


def _level(row: Table, number: int, subject: str, measure: DayMeasure) -> Level:
    theta = row.integer("theta", least=1, most=10**12)
    window_days = _window_days(row, subject, measure) if row.has("window_days") else 0
    if measure.kind in OF_THE_CALENDAR and (window_days or subject != "institution"):
        raise PolicyError(
            f"{row.where} compares calendar months, which are kept of institutions. "
            f'Remove window_days, and write subject = "institution".'
        )
    if measure.kind in OF_PEERS and not window_days:
        raise PolicyError(
            f"{row.where} has no window_days. Peers are published over whole days that have passed. "
            f"Write window_days = 30."
        )
    if measure.kind == "growth" and not window_days:
        raise PolicyError(
            f"{row.where} has no window_days. Growth is measured against as many days before. Write window_days = 30."
        )
    if theta > measure.scale and _is_a_part(measure):
        raise PolicyError(
            f"{row.where}.theta is {theta}, and the whole is {measure.scale}: it would never open. "
            f"Write at most {measure.scale}."
        )
    rearm = min(theta * 4 // 5, theta - 1)
    if row.has("rearm"):
        rearm = row.integer("rearm", least=1, most=theta - 1)
    if window_days and not rearm:
        raise PolicyError(
            f"{row.where}.theta is 1 over {window_days} days. Nothing is below 0, so the episode would never end. "
            f"Write a theta of 2 and more, or judge one date: remove window_days."
        )
    kind = cast("Kind", row.text("kind", choices=KINDS))
    level = Level(number, theta, rearm, window_days * DAY_MS, kind, row.integer("sev", least=1, most=_GRAVEST))
    row.finish()
    return level


def _is_a_part(measure: DayMeasure) -> bool:
    """Is it never more than the whole?"""
    if measure.kind != "share":
        return measure.kind == "of_year"
    part, whole = (COUNTERS[place] for place in measure.of)
    return whole == "settlements" and part in _OF_A_BILL


def _window_days(row: Table, subject: str, measure: DayMeasure) -> int:
    spans = SPANS[SUBJECTS[subject]]
    offered = [days for days in spans if not measure.kind.startswith("growth") or 2 * days in spans]
    days = row.integer("window_days", least=1)
    if measure.kind in OF_PEOPLE:
        raise PolicyError(f"{row.where} has a window, but people are told apart on one date. Remove window_days.")
    if days not in offered:
        raise PolicyError(
            f"{row.where}.window_days is {days}. Totals of {measure.kind} are kept over {', '.join(map(str, offered))} "
            f"days for {subject}s; any other would add up every day at every bill. Choose one of them."
        )
    return days


def _rising(rule: CounterRule, where: str) -> None:
    """Levels of one measure over one window stand lowest first."""
    for (lower, measure), (upper, other) in pairwise(rule.looks):
        if (measure, lower.window_ms) == (other, upper.window_ms) and upper.theta <= lower.theta:
            raise PolicyError(
                f"{where}[{upper.level - 1}].theta is {upper.theta}, not above {lower.theta}. "
                f"Levels open lowest first. Put them in rising order."
            )
