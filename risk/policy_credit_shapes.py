"""How the values of credit and place parameters, and of the signs F01-F07, are read from TOML."""

from typing import Any

from risk.local_time import day_of
from risk.policy_reading import (
    Table,
    read_date,
    read_duration_ms,
    read_flag,
    read_integer,
    read_rows,
    read_text,
    read_texts,
    refuse_repeats,
)
from risk.policy_rules import USES_REMEMBERED, UseRule
from risk.policy_shapes import Shape, has_window, level_of, levels_of
from risk.policy_values import (
    ANY,
    SERVICES,
    UNRATED,
    UNRATED_REASONS,
    AnnualCap,
    CapRow,
    DebitHours,
    InstitutionRow,
    InstitutionTable,
    LevelBand,
    LevelSet,
    LimitRow,
    LimitTable,
)
from risk.terms import PolicyError
from risk.workdays import WorkdayYear

NONE = "none"


def flag(content: object, where: str) -> bool:
    """A switch."""
    return read_flag(content, where)


def duration_ms(content: object, where: str) -> int:
    """A length of time in milliseconds."""
    return read_duration_ms(content, where)


def durations_ms(content: object, where: str) -> tuple[int, ...]:
    """A ladder of lengths of time, rising."""
    if not isinstance(content, list):
        raise PolicyError(f"{where} is no list. A ladder has steps. Write [ {{ hours = 6 }}, ... ].")
    steps = tuple(read_duration_ms(step, f"{where}[{place}]") for place, step in enumerate(content))
    if list(steps) != sorted(set(steps)):
        raise PolicyError(f"{where} does not rise. Every attempt is counted from the first. Put the steps in order.")
    return steps


def integer(*, least: int = 0, most: int = 10**15) -> Shape:
    """A whole number within bounds."""

    def read(content: object, where: str) -> int:
        return read_integer(content, where, least=least, most=most)

    return read


def optional_fen(content: object, where: str) -> int | None:
    """An amount, or "none" for no ceiling."""
    return None if content == NONE else read_integer(content, where)


def choice(*choices: str) -> Shape:
    """One of a few words."""

    def read(content: object, where: str) -> str:
        return read_text(content, where, choices=choices)

    return read


def services(content: object, where: str) -> tuple[str, ...]:
    """Services by name; an empty list turns all off."""
    return read_texts(content, where, choices=SERVICES, empty=True)


def area_prefixes(content: object, where: str) -> tuple[str, ...]:
    """Prefixes of insured places, for str.startswith."""
    prefixes = read_texts(content, where)
    for prefix in prefixes:
        if not prefix.isdecimal() or len(prefix) > 6:
            raise PolicyError(f"{where} has {prefix!r}. Places are codes of six digits. Write their first ones.")
    return prefixes


def level_set(content: object, where: str) -> LevelSet:
    """Levels with the scores they cover, best first, touching each other."""
    bands: list[LevelBand] = []
    for row in read_rows(content, where):
        band = LevelBand(
            code=row.text("code"),
            name_zh=row.text("name_zh"),
            name_en=row.text("name_en"),
            from_x100=row.integer("from_x100"),
            to_x100=row.integer("to_x100", least=1),
        )
        row.finish()
        if band.from_x100 >= band.to_x100 or (bands and band.to_x100 != bands[-1].from_x100):
            raise PolicyError(
                f"{row.where} covers {band.from_x100} to {band.to_x100}. Levels run from the best down, each ending "
                f"where the next begins, so that every score has one. Correct from_x100 and to_x100."
            )
        bands.append(band)
    refuse_repeats([band.code for band in bands], where)
    if UNRATED in (band.code for band in bands):
        raise PolicyError(f"{where} names {UNRATED}. It is the absence of a level. Remove the row.")
    return LevelSet(bands=tuple(bands))


def eligible_levels(content: object, where: str) -> tuple[str, ...]:
    """Level codes, `UNRATED`, or `UNRATED:<reason>`."""
    codes = read_texts(content, where)
    for code in codes:
        head, mark, reason = code.partition(":")
        if mark and (head != UNRATED or reason not in UNRATED_REASONS):
            raise PolicyError(
                f"{where} has {code!r}. After {UNRATED}: stands one of {', '.join(UNRATED_REASONS)}. Correct it."
            )
    return codes


def limits(content: object, where: str) -> LimitTable:
    """Rows of level, service, insurance type and limit."""
    rows = []
    for row in read_rows(content, where):
        rows.append(
            LimitRow(
                level=row.text("level"),
                service=row.text("service", choices=SERVICES),
                insutype=row.text("insutype"),
                limit_fen=row.integer("limit_fen"),
            )
        )
        row.finish()
    refuse_repeats([row[:3] for row in rows], where)
    return LimitTable(tuple(rows))


def annual_caps(content: object, where: str) -> AnnualCap:
    """Rows of insured place, insurance type and yearly ceiling."""
    rows = []
    for row in read_rows(content, where):
        (prefix,) = area_prefixes([row.take("insuplc_prefix")], row.place("insuplc_prefix"))
        rows.append(CapRow(prefix, row.text("insutype"), row.integer("cap_fen", least=1)))
        row.finish()
    refuse_repeats([row[:2] for row in rows], where)
    return AnnualCap(tuple(rows))


def institutions(content: object, where: str) -> InstitutionTable:
    """Rows of code or prefix*, name, services and the two first days."""
    rows = []
    for row in read_rows(content, where):
        rows.append(_institution(row))
        row.finish()
    refuse_repeats([row.code for row in rows], where)
    return InstitutionTable(tuple(rows))


def _institution(row: Table) -> InstitutionRow:
    code, live_from = code_or_prefix(row), read_date(row.take("live_from"), row.place("live_from"))
    orders: Any = row.take("orders_live_from")
    orders_live_from = None if orders == NONE else read_date(orders, row.place("orders_live_from"))
    if orders_live_from is not None and orders_live_from < live_from:
        raise PolicyError(f"{row.where}: orders begin {orders_live_from}, the service on {live_from}. Correct one.")
    offered = services(row.take("services"), row.place("services"))
    return InstitutionRow(code, row.text("name"), offered, live_from, orders_live_from)


def code_or_prefix(row: Table) -> str:
    """An institution's code, or how those of several begin."""
    code = row.text("code")
    if ANY in code[:-1] or code == ANY:
        raise PolicyError(f"{row.where}.code is {code!r}. A star may only end a prefix. Write H4305* or a whole code.")
    return code


def debit_hours(content: object, where: str) -> DebitHours:
    """From the first hour to before the last."""
    table = Table(content, where)
    first = table.integer("first", most=23)
    hours = DebitHours(first, table.integer("last", least=first + 1, most=24))
    table.finish()
    return hours


def workday_year(content: object, where: str) -> WorkdayYear:
    """One year's holidays and worked weekend days."""
    table = Table(content, where)
    year = table.integer("year", least=1970, most=9999)
    days = {key: _days_of(table, key, year) for key in ("holidays", "workdays")}
    table.finish()
    both = days["holidays"] & days["workdays"]
    if both:
        raise PolicyError(f"{where} has a day that is both holiday and worked. Read the notice again; keep one.")
    return WorkdayYear(year, days["holidays"], days["workdays"])


def _days_of(table: Table, key: str, year: int) -> frozenset[int]:
    content, where = table.take(key), table.place(key)
    if not isinstance(content, list):
        raise PolicyError(f"{where} is no list. It lists dates. Write [{year}-01-01, ...].")
    dates = [read_date(item, f"{where}[{place}]") for place, item in enumerate(content)]
    refuse_repeats(dates, where)
    for place, day in enumerate(dates):
        if day.year != year:
            raise PolicyError(f"{where}[{place}] is {day}, not in {year}. Each year has its own notice. Move it there.")
    return frozenset(day_of(day) for day in dates)


def use_rule(*, window: bool | None, single: bool = False, levels: bool = False, percent: bool = False) -> Shape:
    """F01-F07: of each level a moving window, or none: one local date, a run of visits, what is open now; None: as it
    says. A rule about a `single` event has nothing to count; of most the code looks at one of the `levels`.
    """
    least, most = (1, 1) if single else (2, USES_REMEMBERED)  # below 1 there is nothing: the episode would never end

    def read(content: object, where: str) -> UseRule:
        table, found = Table(content, where), []
        for number, row in enumerate(levels_of(table, one=not levels), 1):
            is_moving = has_window(row) if window is None else window
            span_ms = row.duration_ms("window") if is_moving else 0
            found.append(level_of(row, number, span_ms, least=least, most=most))
        rule = UseRule(
            levels=tuple(found),
            percent=table.integer("percent", least=1, most=100) if percent else 0,
            text_zh=table.sentence("text_zh"),
            text_en=table.sentence("text_en"),
        )
        table.finish()
        return rule

    return read
