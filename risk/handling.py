"""What was done about alerts: suppressed, acknowledged, judged, told. It changes no alert and no subject's state.

An alert is a function of the log and always stands on `alerts.v1`; these acts only decide who is woken up, and say who
decided it. They stand on a topic of their own, `handling.v1`, and not in the one log: no fold reads them, most concern
a rule or an institution and no person, and what a lane decides must not depend on who was tired of hearing it. Redis
holds none of it: acts are few, so each worker reads the whole topic at its start, and a lost Redis loses nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from msgspec import Meta, Struct

from risk.facts.base import Instant
from risk.local_time import DAY_MS, MINUTE_MS, rfc3339, to_ms
from risk.outputs import derived_id

Name = Annotated[str, Meta(min_length=1, max_length=64)]
MayBeEmpty = Annotated[str, Meta(max_length=64)]
Sentence = Annotated[str, Meta(min_length=1, max_length=500)]
Remark = Annotated[str, Meta(max_length=500)]
Verdict = Literal["confirmed", "false"]
Cause = Literal["group", "flood", "suppression", "escalation"]

LOOK_FURTHER_MS = MINUTE_MS
"""How far behind its end a suppression may still have withheld: a worker hears of a lifting some moments late."""


class Act(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="event_type"):
    """What every record of `handling.v1` carries: when it was done, by whom (`engine` for routes), by which token."""

    event_type: ClassVar[str]

    at: Instant
    by: Name
    source: MayBeEmpty = ""


class AlertSuppressed(Act, frozen=True, kw_only=True, tag="alert.suppressed"):
    """Nobody is told of alerts of this rule, subject and institution until then; what is empty is any."""

    suppression_id: Name
    until: Instant
    reason: Sentence
    rule_id: MayBeEmpty = ""
    subject_id: MayBeEmpty = ""
    institution: MayBeEmpty = ""

    def matches(self, alert: Mapping[str, Any]) -> bool:
        """Whether such an alert is meant, whenever it came."""
        return (
            self.rule_id in ("", alert["rule_id"])
            and self.subject_id in ("", alert.get("subject_id"))
            and self.institution in ("", institution_of(alert))
        )


class AlertUnsuppressed(Act, frozen=True, kw_only=True, tag="alert.unsuppressed"):
    """The suppression ends now, before its time."""

    suppression_id: Name
    reason: Remark = ""


class SuppressionSummarised(Act, frozen=True, kw_only=True, tag="alert.suppression_summarised"):
    """The suppression has ended, and every route was told of what it had withheld."""

    suppression_id: Name
    withheld: int


class AlertAcknowledged(Act, frozen=True, kw_only=True, tag="alert.acknowledged"):
    """Somebody looks after this alert: it is not told again."""

    alert_id: Name
    note: Remark = ""


class AlertEscalated(Act, frozen=True, kw_only=True, tag="alert.escalated"):
    """The alert was told again, to a further route, because nobody had acknowledged it. `step` counts from 1."""

    alert_id: Name
    step: int
    route: Name


class AlertJudged(Act, frozen=True, kw_only=True, tag="alert.judged"):
    """What a person found the alert to be. It measures the rule; it is no fact about the subject."""

    alert_id: Name
    verdict: Verdict
    note: Remark = ""


class NoticePrepared(Act, frozen=True, kw_only=True, tag="notice.prepared"):
    """One message to a route and its members, (alert_id, episode). It stands here before the message leaves."""

    notice_id: Name
    route: Name
    cause: Cause
    members: tuple[tuple[str, str], ...]


ACTS: tuple[type[Act], ...] = (
    AlertSuppressed,
    AlertUnsuppressed,
    SuppressionSummarised,
    AlertAcknowledged,
    AlertEscalated,
    AlertJudged,
    NoticePrepared,
)
for _kind in ACTS:
    _kind.event_type = str(_kind.__struct_config__.tag)


class Refusal(NamedTuple):
    """Why an act cannot be: the field, and what to do, in two languages."""

    field: str
    zh: str
    en: str


def institution_of(alert: Mapping[str, Any]) -> str:
    """The institution that an alert is about or happened in; empty when there is none."""
    if alert.get("subject_kind") == "institution":
        return str(alert.get("subject_id", ""))
    return str(alert.get("fixmedins_code") or "")


def suppression_id_of(scope: tuple[str, str, str], at_ms: int, by: str) -> str:
    """The id of a suppression of (rule, subject, institution): said twice at one instant it is one."""
    return derived_id("su_", *scope, at_ms, by)


def refused_suppression(act: AlertSuppressed, days_max: int) -> Refusal | None:
    """Why such a suppression may not be; None when it may."""
    if not (act.rule_id or act.subject_id or act.institution):
        return Refusal(
            "rule_id",
            "请指明规则、对象或机构之一；不能静默全部预警",
            "name a rule, a subject or an institution: not everything can be suppressed",
        )
    if act.until <= act.at:
        return Refusal(
            "until", "截止时间已过，请给出将来的时间", "until lies in the past: give an instant that is to come"
        )
    if to_ms(act.until) - to_ms(act.at) > days_max * DAY_MS:
        latest = rfc3339(to_ms(act.at) + days_max * DAY_MS)
        return Refusal(
            "until",
            f"静默最长 {days_max} 天（至 {latest}）；到期仍需要时请重新静默",
            f"at most {days_max} days, that is until {latest}; when it has ended, suppress again with a fresh reason",
        )
    return None


class Handling:
    """Everything that was done about alerts so far. A function of the set of acts: their order does not matter."""

    def __init__(self, acts: Iterable[Act] = ()) -> None:
        self.suppressions: dict[str, AlertSuppressed] = {}
        self.verdicts: dict[str, AlertJudged] = {}
        self._lifted: dict[str, AlertUnsuppressed] = {}
        self._summarised: set[str] = set()
        self._acknowledged: set[str] = set()
        self._steps: dict[str, int] = {}
        for act in acts:
            self.apply(act)

    def apply(self, act: Act) -> None:
        """Take in one act; the same again changes nothing."""
        match act:
            case AlertSuppressed():
                self.suppressions.setdefault(act.suppression_id, act)
            case AlertUnsuppressed():
                earlier = self._lifted.get(act.suppression_id, act)
                self._lifted[act.suppression_id] = min(earlier, act, key=lambda each: each.at)
            case SuppressionSummarised():
                self._summarised.add(act.suppression_id)
            case AlertAcknowledged():
                self._acknowledged.add(act.alert_id)
            case AlertEscalated():
                self._steps[act.alert_id] = max(act.step, self.steps(act.alert_id))
            case AlertJudged():
                earlier_verdict = self.verdicts.get(act.alert_id, act)
                self.verdicts[act.alert_id] = max(earlier_verdict, act, key=lambda each: each.at)

    def ends_ms(self, suppression: AlertSuppressed) -> int:
        """When the suppression ends or ended: at its time, or when it was lifted."""
        lifted = self._lifted.get(suppression.suppression_id)
        until_ms = to_ms(suppression.until)
        return until_ms if lifted is None else min(until_ms, to_ms(lifted.at))

    def withheld_by(self, alert: Mapping[str, Any], appended_ms: int) -> AlertSuppressed | None:
        """The suppression under which an alert came, by the instant at which the topic took it in. An end never does:
        whoever was told of the opening before, and lists what is open, would list it for ever.
        """
        if alert.get("episode") == "closed":
            return None
        for each in self.suppressions.values():
            if to_ms(each.at) <= appended_ms < self.ends_ms(each) and each.matches(alert):
                return each
        return None

    def unsummarised(self, now_ms: int) -> list[AlertSuppressed]:
        """The suppressions that have ended and of whose members nobody was told yet, oldest end first."""
        ended = [
            each
            for each in self.suppressions.values()
            if each.suppression_id not in self._summarised and self.ends_ms(each) + LOOK_FURTHER_MS <= now_ms
        ]
        return sorted(ended, key=lambda each: (self.ends_ms(each), each.suppression_id))

    def is_acknowledged(self, alert_id: str) -> bool:
        """Whether somebody looks after the alert, or has judged it."""
        return alert_id in self._acknowledged or alert_id in self.verdicts

    def steps(self, alert_id: str) -> int:
        """How often the alert was escalated."""
        return self._steps.get(alert_id, 0)
