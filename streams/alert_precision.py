"""`xinmai alerts precision`: how often each rule was right by people's word, beside the floor that its policy sets."""

import sys
from time import time_ns
from typing import TYPE_CHECKING

import orjson

from risk.handling import Handling
from risk.local_time import local_day
from risk.precision import Precision, floors_of, precisions
from streams.handling_board import read_acts
from streams.policy_commands import read_policy
from streams.topic_reader import bodies

if TYPE_CHECKING:
    from streams.settings import Settings


def run_precision(settings: "Settings", *, as_json: bool) -> int:
    """Print every rule that raised an alert; exit 1 when one is below its floor."""
    handling = Handling(read_acts(settings.kafka, settings.topics))
    terms = read_policy(settings.policy_dir).on(local_day(time_ns() // 1_000_000))
    found = precisions(bodies(settings.kafka, settings.topics.alerts), handling.verdicts, floors_of(terms))
    if as_json:
        for each in found:
            sys.stdout.buffer.write(orjson.dumps(_wire(each)) + b"\n")
        sys.stdout.buffer.flush()
    else:
        _print(found)
    return 1 if any(each.is_below for each in found) else 0


def _print(found: list[Precision]) -> None:
    print(f"{'rule':<8}{'alerts':>8}{'judged':>8}{'confirmed':>11}{'false':>7}{'precision':>11}{'floor':>7}")
    for each in found:
        precision = "-" if each.percent_x100 is None else f"{each.percent_x100 / 100:.2f} %"
        floor = "-" if each.floor_percent is None else f"{each.floor_percent} %"
        mark = "  低于下限 / below" if each.is_below else ""
        print(
            f"{each.rule_id:<8}{each.alerts:>8}{each.judged:>8}{each.confirmed:>11}{each.false:>7}"
            f"{precision:>11}{floor:>7}{mark}"
        )
    if not found:
        print("尚无预警 / no alerts yet")


def _wire(each: Precision) -> dict[str, object]:
    figures = {"judged": each.judged, "precision_percent_x100": each.percent_x100, "below": each.is_below}
    return each._asdict() | figures
