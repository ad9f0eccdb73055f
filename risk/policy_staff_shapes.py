"""How the rules about staff are read from TOML: M04 by status, M07 by points, M09 by pace. M03 is a gap, like P03."""

from risk.facts.staff import STATUSES
from risk.policy_reading import Table, read_texts, refuse_repeats
from risk.policy_rules import Level, PaceRule, PointsRule, StandingRule
from risk.policy_shapes import GRAVEST, ascending, fixmedins_type_of, kind_of, level_of, med_types_of, precision
from risk.terms import PolicyError


def pace_rule(content: object, where: str) -> PaceRule:
    """M09: how many of the gaps between so many patients may be shorter than the line."""
    table = Table(content, where)
    persons = table.integer("persons", least=3, most=1_000)
    rows = table.rows("levels")
    if len(rows) != 1:
        raise PolicyError(f"{where} has {len(rows)} levels, but a pace has one line. Keep one level.")
    level = level_of(rows[0], 1, rows[0].duration_ms("window"))
    if level.theta >= persons:
        raise PolicyError(
            f"{where}.levels[0].theta is {level.theta}, but {persons} persons have only {persons - 1} gaps between "
            f"them: it would never open. Write at most {persons - 1}."
        )
    rule = PaceRule(
        levels=(level,),
        med_types=med_types_of(table),
        fixmedins_type=fixmedins_type_of(table),
        persons=persons,
        gap_ms=table.duration_ms("gap"),
        precision_percent=precision(table),
        text_zh=table.sentence("text_zh"),
        text_en=table.sentence("text_en"),
    )
    table.finish()
    return rule


def standing_rule(content: object, where: str) -> StandingRule:
    """M04: which statuses of a doctor make a bill of his a finding, by levels; the gravest last. A level may look at
    some bills only, and say its own sentence.
    """
    table = Table(content, where)
    statuses, levels, filters, texts = [], [], [], []
    for number, row in enumerate(table.rows("levels"), 1):
        named = read_texts(row.take("statuses"), row.place("statuses"))
        if unknown := [each for each in named if each not in STATUSES]:
            raise PolicyError(
                f"{row.where} names the status {unknown[0]}, which nobody is given. Write {', '.join(STATUSES)}."
            )
        statuses.append(named)
        filters.append((med_types_of(row), fixmedins_type_of(row)))
        texts.append((row.sentence("text_zh"), row.sentence("text_en")) if row.has("text_zh") else None)
        levels.append(Level(number, 1, 0, 0, kind_of(row), row.integer("sev", least=1, most=GRAVEST)))
        row.finish()
    refuse_repeats([each for named in statuses for each in named], f"{where}.levels")
    excepted = read_texts(table.take("except"), table.place("except")) if table.has("except") else ()
    if unread := [each for each in excepted if each != "emergency"]:
        raise PolicyError(
            f"{where} excepts {unread[0]}, which a doctor's bill does not say: such care would be alerted all the "
            f"same. Only emergency can be excepted."
        )
    rule = StandingRule(
        levels=tuple(levels),
        statuses=tuple(statuses),
        level_filters=tuple(filters),
        level_texts=tuple(texts) if any(texts) else (),
        excepts_emergency=bool(excepted),
        med_types=med_types_of(table),
        fixmedins_type=fixmedins_type_of(table),
        precision_percent=precision(table),
        text_zh=table.sentence("text_zh"),
        text_en=table.sentence("text_en"),
    )
    table.finish()
    return rule


def points_rule(content: object, where: str) -> PointsRule:
    """M07: points of a calendar year, by levels. Each ends below its own line: nobody is at nine points with eight."""
    table = Table(content, where)
    levels = []
    for number, row in enumerate(table.rows("levels"), 1):
        theta = row.integer("theta", least=1, most=100)
        levels.append(Level(number, theta, theta, 0, kind_of(row), row.integer("sev", least=1, most=GRAVEST)))
        row.finish()
    rule = PointsRule(
        levels=ascending(tuple(levels), table.place("levels")),
        precision_percent=precision(table),
        text_zh=table.sentence("text_zh"),
        text_en=table.sentence("text_en"),
    )
    table.finish()
    return rule
