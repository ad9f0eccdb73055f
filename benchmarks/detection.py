"""What the rules find of what the city planted, and whom they accuse wrongly: recall, precision, twins, lead time.

Both hops in memory over whole cities. Seeds 1-9 are reserved for writing plants and rules; seeds from 1000 on
(`--fresh`) are not, and only they are an acceptance. Precision counts every alert of the run, background included.
"""

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from statistics import median
from typing import Any, NamedTuple

from benchmarks.both_hops import BothHops, city_facts, policy_texts
from benchmarks.report import Report
from risk.local_time import day_of, local_day, to_ms
from risk.policy import parse_policy
from risk.workdays import Workdays
from streams.city.acts.second_hop import PLACEHOLDERS
from streams.city.labels import Label
from streams.city.plan import CityPlan
from streams.city.stream import expectations

WRITTEN_WITH = (1, 2, 3)
FRESH = (3001, 3002, 3003)
"""1001 to 1003 and 2001 to 2003 were seen on 2026-11-26 and 27: rules were mended, or came, after them."""
RECALL_LEAST, PRECISION_LEAST = 0.95, 0.90
NO_CODES = frozenset({*PLACEHOLDERS, ""})
HOUR_MS = 3_600_000


class Alert(NamedTuple):
    """What of an opened alert a label is compared with."""

    rule: str
    level: int
    subject: str
    at_ms: int
    kind: str


@dataclass(slots=True)
class Score:
    """One rule over all seeds. `wrong`: alerts no label asked for, by what they hit: background, below, a twin."""

    planted: int = 0
    found: int = 0
    alerts: int = 0
    labelled: int = 0
    below: int = 0
    below_accused: int = 0
    twins: int = 0
    twins_accused: int = 0
    lead_ms: list[int] = field(default_factory=list)
    accuses: bool = False
    """A suspicion or a fault of records; a warning tells a person of his own limit, and honest people reach theirs."""
    wrong: Counter[str] = field(default_factory=Counter)

    @property
    def recall(self) -> float | None:
        """Of what was planted at or above the threshold, how much was found."""
        return self.found / self.planted if self.planted else None

    @property
    def precision(self) -> float | None:
        """Of all alerts, how many a label asked for."""
        return self.labelled / self.alerts if self.alerts else None

    @property
    def short_of(self) -> str:
        """What is missing from acceptance; '' when nothing is."""
        missing = []
        if self.recall is None:
            missing.append("nothing planted")
        elif self.recall < RECALL_LEAST:
            missing.append(f"recall {self.recall:.3f}")
        if self.accuses and self.precision is not None and self.precision < PRECISION_LEAST:
            missing.append(f"precision {self.precision:.3f}: {self.hits}")
        return "; ".join(missing)

    @property
    def hits(self) -> str:
        """What the alerts that no label asked for were about."""
        return ", ".join(f"{count} {what}" for what, count in self.wrong.most_common(3))

    @property
    def reason(self) -> str:
        """What is missing, or why a low precision is none of it."""
        if self.short_of or self.accuses or not self.wrong:
            return self.short_of
        return f"a warning accuses nobody: {self.hits}"


def plan_of(seed: int, workdays: Workdays, *, quick: bool) -> CityPlan:
    """A county in spring 2026, six weeks of it: one month whole, and room for windows of thirty days."""
    return CityPlan(
        people=4_000 if quick else 20_000,
        institutions=40 if quick else 80,
        first_day=day_of(date(2026, 3, 25)),
        days=45,
        seed=seed,
        plants=2 if quick else 4,
        checkout=True,
        alone=True,
    ).with_years_of(workdays)


def run(quick: bool, *, fresh: bool = False) -> Report:
    """Every rule in force, over several cities."""
    files = policy_texts("shaoyang")
    policy = parse_policy(files)
    plan = plan_of(1, policy.workdays, quick=quick)
    in_force = frozenset(policy.on(plan.first_day + plan.days - 1))
    seeds = (FRESH if fresh else WRITTEN_WITH)[: 1 if quick else 3]
    report = Report({"policy": "shaoyang", "seeds": list(seeds), "people": plan.people, "days": plan.days})
    scores: dict[str, Score] = defaultdict(Score)
    unknown, began_s, folded = 0, time.perf_counter(), 0
    for seed in seeds:
        plan = plan_of(seed, policy.workdays, quick=quick)
        alerts, count = alerts_of(plan, files)
        folded += count
        unknown += sum(alert.subject in NO_CODES and not alert.rule.startswith("Q") for alert in alerts)
        compare(alerts, [label for label in expectations(plan) if label.rule in in_force], scores)
    for rule in sorted(scores, key=lambda each: (each[0], len(each), each)):
        _tell(report, rule, scores[rule])
    _conclude(report, scores, unknown)
    waiting = sorted({label.rule for label in expectations(plan)} - in_force)
    report.settings |= {
        "planted, not in force": waiting,
        "records": folded,
        "seconds": round(time.perf_counter() - began_s, 1),
    }
    return report


def alerts_of(plan: CityPlan, files: dict[str, str]) -> tuple[list[Alert], int]:
    """Every alert that opened, and how many records were folded for it."""
    hops, found = BothHops(files, nightly=True), []
    for output in hops.fold(city_facts(plan)):
        body: dict[str, Any] = output.body
        if output.topic == "alerts" and body["episode"] == "opened":
            at_ms = to_ms(datetime.fromisoformat(body["occurred_at"]))
            found.append(Alert(body["rule_id"], body["level"], body["subject_id"], at_ms, body["kind"]))
    return found, hops.records


def compare(alerts: list[Alert], labels: list[Label], scores: dict[str, Score]) -> None:
    """Hold the alerts of one city to its labels."""
    asked: dict[tuple[str, int, str], list[Label]] = defaultdict(list)
    about: dict[tuple[str, str], list[Label]] = defaultdict(list)
    for label in labels:
        score = scores[label.rule]
        if label.verdict == "planted":
            asked[label.rule, label.level, label.subject].append(label)
            score.planted += 1
        else:
            about[label.rule, label.subject].append(label)
            score.below += label.verdict == "below"
            score.twins += label.verdict == "innocent"
    met: dict[Label, int] = {}
    accused: set[Label] = set()
    for alert in alerts:
        score = scores[alert.rule]
        score.alerts += 1
        score.accuses |= alert.kind in ("suspicion", "data_quality")
        wanted = [each for each in asked[alert.rule, alert.level, alert.subject] if _covers(each, alert)]
        hit = [each for each in about[alert.rule, alert.subject] if _covers(each, alert)]
        score.labelled += bool(wanted)
        if not wanted:
            score.wrong[f"{hit[0].verdict} ({hit[0].why})" if hit else "background"] += 1
            accused.update(hit)
        for label in wanted:
            met.setdefault(label, alert.at_ms)
    for label, at_ms in met.items():
        scores[label.rule].found += 1
        scores[label.rule].lead_ms.append(label.ends_ms - at_ms)
    for label in accused:
        scores[label.rule].below_accused += label.verdict == "below"
        scores[label.rule].twins_accused += label.verdict == "innocent"


def _covers(label: Label, alert: Alert) -> bool:
    """An act has its subjects to itself: of one who is innocent every alert counts, of a planted one those that come
    before the misconduct is over, and on the day after it.
    """
    return label.verdict != "planted" or local_day(alert.at_ms) <= local_day(label.ends_ms) + 1


def _tell(report: Report, rule: str, score: Score) -> None:
    lead_h = median(score.lead_ms) / HOUR_MS if score.lead_ms else None
    report.add("detection", rule, "planted", score.planted, "labels")
    report.add("detection", rule, "recall", score.recall, "share")
    report.add("detection", rule, "alerts", score.alerts, "alerts")
    report.add("detection", rule, "precision", score.precision, "share", score.reason)
    report.add("detection", rule, "below", score.below, "labels")
    report.add("detection", rule, "below accused", score.below_accused, "labels")
    report.add("detection", rule, "twins", score.twins, "labels")
    report.add("detection", rule, "twins accused", score.twins_accused, "labels")
    report.add("detection", rule, "lead", lead_h, "h")


def _conclude(report: Report, scores: dict[str, Score], unknown: int) -> None:
    short = {rule: score.short_of for rule, score in sorted(scores.items()) if score.short_of}
    labelled, alerts = (sum(getattr(each, name) for each in scores.values()) for name in ("labelled", "alerts"))
    planted, found = (sum(getattr(each, name) for each in scores.values()) for name in ("planted", "found"))
    said = "; ".join(f"{rule}: {why}" for rule, why in short.items())
    report.add("detection", "all rules", "planted", planted, "labels")
    report.add("detection", "all rules", "recall", found / planted if planted else None, "share")
    report.add("detection", "all rules", "alerts", alerts, "alerts")
    report.add("detection", "all rules", "precision", labelled / alerts if alerts else None, "share")
    report.add("detection", "all rules", "alerts about codes that are none", unknown, "alerts")
    accepted = not short and not unknown
    report.add("detection", "all rules", "accepted", float(accepted), "1 = yes", said)


def table(report: Report) -> str:
    """One line a rule, and what is missing from acceptance below."""
    lines = [
        "| rule | planted | recall | alerts | precision | below / accused | twins / accused | lead, h | |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    by_rule: dict[str, dict[str, Any]] = defaultdict(dict)
    for result in report.results:
        by_rule[result.system][result.metric] = result
    for rule, told in by_rule.items():

        def shown(metric: str, form: str = ",.0f", told: dict[str, Any] = told) -> str:
            return "–" if metric not in told or told[metric].value is None else format(told[metric].value, form)

        lines.append(
            f"| {rule} | {shown('planted')} | {shown('recall', '.3f')} | {shown('alerts')} |"
            f" {shown('precision', '.3f')} | {shown('below')} / {shown('below accused')} |"
            f" {shown('twins')} / {shown('twins accused')} | {shown('lead', ',.1f')} |"
            f" {told['precision'].note} |"
        )
    last = by_rule["all rules"]
    unknown = int(last["alerts about codes that are none"].value)
    verdict = "accepted" if last["accepted"].value else f"short of acceptance: {last['accepted'].note}"
    lines += ["", f"Alerts about codes that are none: {unknown}.", f"Recall >= {RECALL_LEAST} and precision >= "
              f"{PRECISION_LEAST} of every rule: {verdict}."]  # fmt: skip
    return "\n".join(lines)
