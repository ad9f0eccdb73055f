"""How a rule written in the grammar of policy_measures.py is read from TOML, and the common exclusions beside it."""

from typing import NamedTuple, cast

from risk.policy_measures import EXCLUSIONS, MEASURES, PERIOD_OF, Exclusion, Exclusions, Measure, MeasuredRule
from risk.policy_reading import Table, read_flag, read_rows, read_texts, refuse_repeats, shown
from risk.policy_rules import Kind, Level
from risk.policy_shapes import KINDS, Shape, ascending, excepted
from risk.terms import PolicyError

_GRAVEST = 4
OF_CARE = ("distinct", "sum", "value", "supply_left", "gap_days", "overlap", "sequence")
"""What any rule about fee lines or admissions may measure; a measure of settlements belongs to one rule."""
OF_PLACES = ("repeated", "over_limit_price", "outside_channel", "idle_days")
"""What a rule about an institution may measure of one person's lines and stays there."""
_WITHIN = ("repeated", "failed_checks", "sequence")  # looks at one event, and back from it
_YES_OR_NO = ("not_insured", "outside_channel")


def measured_rule(*kinds: str) -> Shape:
    """A rule in the grammar whose code evaluates these measures; anything else in its place would run unseen."""

    def read(content: object, where: str) -> MeasuredRule:
        rule = _rule(Table(content, where), where)
        unread = [each.kind for each in (rule.measure, *rule.level_measures) if each and each.kind not in kinds]
        if unread:
            raise PolicyError(
                f"{where} measures {shown(unread[0])}, and this rule's code evaluates another measure. "
                f"Write one of {', '.join(kinds)}."
            )
        _refuse_unread(rule, where)
        return rule

    return read


def _rule(table: Table, where: str) -> MeasuredRule:
    """Subject, counts, where, measure, beside, period, levels, except, precision and its two sentences."""
    subject = table.text("subject", choices=("person", "institution", "staff"))
    counts = table.text("counts", choices=tuple(dict.fromkeys(counted for counted, _ in MEASURES)))
    measure = _measure(Table(table.take("measure"), table.place("measure")), counts)
    period = table.text("period", choices=PERIOD_OF.get(measure.kind, ("event",)))
    levels, of_levels, measures, texts = _levels(table.rows("levels"), measure, period=period, counts=counts)
    if not any(of_levels) and not any(measures) and measure.kind != "gap_days":
        ascending(levels, table.place("levels"))
    rule = MeasuredRule(
        subject=subject,
        counts=counts,
        measure=measure,
        period=period,
        med_types=_texts(table, "med_types"),
        items=_texts(table, "items"),
        each=table.text("each", choices=("med_list_codg",)) if table.has("each") else "",
        beside=_beside(table, counts),
        fixmedins_type=table.text("fixmedins_type", choices=("1", "2")) if table.has("fixmedins_type") else "",
        stay_days=table.integer("stay_days", least=1) if table.has("stay_days") else 0,
        away=table.has("away") and read_flag(table.take("away"), table.place("away")),
        round_fen=table.integer("round_fen", least=2) if table.has("round_fen") else 0,
        exclusions=excepted(table),
        precision_percent=table.integer("precision_percent", least=1, most=100),
        level_med_types=of_levels,
        level_measures=measures if any(measures) else (),
        level_texts=texts if any(texts) else (),
        levels=levels,
        text_zh=table.sentence("text_zh"),
        text_en=table.sentence("text_en"),
    )
    table.finish()
    if (rule.items or rule.each) and counts != "fee_line":
        raise PolicyError(f"{where} names items, but counts {counts}s. Only fee lines have one. Remove items and each.")
    if rule.items and not rule.each:
        raise PolicyError(f"{where} names items, but not each. A remembered line is known by its own item. Add each.")
    return rule


def _refuse_unread(rule: MeasuredRule, where: str) -> None:
    """What stands in the rule and no code reads for its measure."""
    kind = rule.measure.kind
    if rule.counts != "fee_line" and any(rule.level_med_types):
        raise PolicyError(
            f"{where} has levels with med_types of their own, but {kind} judges one kind of treatment. "
            f"Move med_types from the levels to the rule."
        )
    if rule.level_measures and (rule.counts, rule.period) != ("settlement", "event"):
        raise PolicyError(
            f"{where} has levels with a measure of their own, but {kind} judges all levels by one. "
            f"Only a settlement by itself is looked at in more ways than one. Remove the level's measure."
        )
    if (rule.subject == "staff") != (rule.counts == "bill_line"):
        raise PolicyError(
            f"{where} is about {rule.subject} and counts {rule.counts}s. Of a doctor only his lines of a bill are "
            f"judged, and they only of him. Write subject = staff beside counts = bill_line."
        )
    if rule.counts == "bill_line" and (rule.med_types or rule.exclusions or any(rule.level_med_types)):
        raise PolicyError(
            f"{where} has med_types or except, but {kind} looks at an item, whatever the care. Remove them."
        )
    if rule.counts == "admission" and len(rule.levels) > 1:
        raise PolicyError(f"{where} has {len(rule.levels)} levels, but {kind} judges one. Keep one level.")
    if rule.beside and rule.period == "event":
        raise PolicyError(f"{where} has beside, but {kind} looks at one event and has no period. Remove beside.")
    if rule.each and kind in ("over_allowance", "outside_channel"):
        raise PolicyError(f"{where} names items or each, but {kind} looks at those of special_items. Write them there.")
    if rule.stay_days and kind != "idle_days":
        raise PolicyError(f"{where} has stay_days, but {kind} looks at no length of a stay. Remove stay_days.")
    if kind == "idle_days" and rule.subject != "institution":
        raise PolicyError(f"{where} is about a person; an idle bed is an institution's. Write subject = institution.")
    if rule.counts != "settlement" and (rule.away or (rule.fixmedins_type and rule.counts != "fee_line")):
        raise PolicyError(
            f"{where} counts {rule.counts}s and has away or fixmedins_type. Only settlements are told apart so, and "
            f"fee lines by fixmedins_type. Remove it."
        )
    if rule.subject == "institution" and rule.counts != "settlement" and kind not in OF_PLACES:
        raise PolicyError(
            f"{where} has an institution as its subject, but {kind} follows a person from place to place. "
            f"Write person, or measure one of {', '.join(OF_PLACES)}."
        )
    if rule.round_fen and kind != "same_amount":
        raise PolicyError(f"{where} has round_fen, but {kind} looks at no amounts. Remove round_fen.")


def exclusions(content: object, where: str) -> Exclusions:
    """Rows of name, and by what that care is known: med_types, diag_groups (prefixes), emergency."""
    found = []
    for row in read_rows(content, where):
        name = row.text("name", choices=EXCLUSIONS)
        med_types = _texts(row, "med_types")
        diag_groups = tuple(each.upper() for each in _texts(row, "diag_groups"))  # as facts' diagnoses are kept
        emergency = row.has("emergency") and read_flag(row.take("emergency"), row.place("emergency"))
        transfer = row.has("transfer") and read_flag(row.take("transfer"), row.place("transfer"))
        row.finish()
        if not (med_types or diag_groups or emergency or transfer):
            raise PolicyError(
                f"{row.where} excludes nothing. Facts must tell it. Add med_types, diag_groups, emergency or transfer."
            )
        found.append(Exclusion(name, med_types, diag_groups, emergency, transfer))
    refuse_repeats([each.name for each in found], where)
    return Exclusions(tuple(found))


def _texts(table: Table, key: str) -> tuple[str, ...]:
    return read_texts(table.take(key), table.place(key)) if table.has(key) else ()


def _measure(table: Table, counts: str) -> Measure:
    """`{ distinct = "fixmedins_code" }`: one word of the grammar and a field it is measured of."""
    kinds = [kind for counted, kind in MEASURES if counted == counts]
    named = [kind for kind in kinds if table.has(kind)]
    if len(named) != 1:
        raise PolicyError(
            f"{table.where} names {len(named)} measures of a {counts}. A rule measures one thing. "
            f"Write one of {', '.join(kinds)}."
        )
    of = table.text(named[0], choices=MEASURES[counts, named[0]])
    least = table.integer("least", least=1) if table.has("least") else 0
    table.finish()
    return Measure(named[0], of, least)


def _beside(table: Table, counts: str) -> tuple[Measure, ...]:
    if not table.has("beside"):
        return ()
    found = tuple(_measure(row, counts) for row in table.rows("beside"))
    for measure in found:
        if not measure.least or measure.kind not in ("distinct", "sum", "total"):
            raise PolicyError(
                f"{table.place('beside')} is {shown(measure.kind)} without least, or no sum and no distinct. "
                f"What must hold beside the measure is a bound over the same period. Write least = n."
            )
    return found


class _Levels(NamedTuple):
    """The levels, and of each the kinds of treatment it is for, its own measure, and that measure's sentence."""

    levels: tuple[Level, ...]
    med_types: tuple[tuple[str, ...], ...]
    measures: tuple[Measure | None, ...]
    texts: tuple[tuple[str, str] | None, ...]


def _levels(rows: list[Table], usual: Measure, *, period: str, counts: str) -> _Levels:
    levels, of_levels, measures, texts = [], [], [], []
    for number, row in enumerate(rows, 1):
        own = _measure(Table(row.take("measure"), row.place("measure")), counts) if row.has("measure") else None
        theta = row.integer("theta", least=1, most=1 if (own or usual).kind in _YES_OR_NO else 10**9)
        if theta == 1 and period == "moving":
            raise PolicyError(
                f"{row.where}.theta is 1 over a moving window. Nothing is below 0, so the episode would never end. "
                f"Write a theta of 2 and more."
            )
        window_ms = row.duration_ms("window") if period == "moving" or (own or usual).kind in _WITHIN else 0
        rearm = 0
        if period != "event" and usual.kind != "gap_days":
            rearm = min(theta * 4 // 5, theta - 1)
            if row.has("rearm"):
                rearm = row.integer("rearm", least=1, most=theta - 1)
        kind = cast("Kind", row.text("kind", choices=KINDS))
        of_levels.append(_texts(row, "med_types"))
        measures.append(own)
        texts.append((row.sentence("text_zh"), row.sentence("text_en")) if own else None)
        levels.append(Level(number, theta, rearm, window_ms, kind, row.integer("sev", least=1, most=_GRAVEST)))
        row.finish()
    return _Levels(tuple(levels), tuple(of_levels), tuple(measures), tuple(texts))
