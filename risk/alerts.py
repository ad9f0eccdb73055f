"""The one shape of an alert, as `alerts.v1` carries it. It knows no rule; a rule hands it the facts."""

from typing import Any, NamedTuple

from risk.local_time import rfc3339
from risk.outputs import Output, alert_id, event_of
from risk.yuan import yuan

OBSERVED_MOST = 10**15
"""A ratio of a huge sum and a tiny one would fit no reader's whole numbers; beyond this an alert says no more."""


class Crossing(NamedTuple):
    """Where a measure met its threshold: whose, by which record, when, seen against allowed."""

    rule_id: str
    level: int
    kind: str
    sev: int
    subject_kind: str
    subject_id: str
    crossing_id: str
    occurred_ms: int
    detected_ms: int
    observed: int
    allowed: int


def alert(
    crossing: Crossing,
    *,
    episode: str,
    clause: dict[str, Any],
    policy_version: str,
    texts: tuple[str, str],
    evidence: tuple[str, ...] = (),
    service: str = "",
    window_ms: int = 0,
    **optional: Any,
) -> Output:
    """One alert record. `texts` are (zh, en), filled in as policy_reading.py allows; `optional` are contract fields."""
    identity = alert_id(
        crossing.rule_id,
        crossing.level,
        subject=(crossing.subject_kind, crossing.subject_id),
        service=service,
        crossing_id=crossing.crossing_id,
    )
    numbers = {"observed": min(crossing.observed, OBSERVED_MOST), "allowed": crossing.allowed}
    numbers_yuan = {f"{name}_yuan": yuan(fen) for name, fen in numbers.items()}
    text_zh, text_en = (text.format(**numbers, **numbers_yuan) for text in texts)
    body: dict[str, Any] = {
        "alert_id": identity,
        "rule_id": crossing.rule_id,
        "level": crossing.level,
        "kind": crossing.kind,
        "sev_deg": crossing.sev,
        "subject_kind": crossing.subject_kind,
        "subject_id": crossing.subject_id,
        "occurred_at": rfc3339(crossing.occurred_ms),
        "detected_at": rfc3339(crossing.detected_ms),
        **numbers,
        "episode": episode,
        "vola_evid": list(dict.fromkeys((event_of(crossing.crossing_id), *evidence))),
        "vola_cont_zh": text_zh,
        "vola_cont_en": text_en,
        "clause": clause,
        "policy_version": policy_version,
    }
    if service:
        body["service"] = service
    if window_ms:
        body["window_s"] = window_ms // 1000
    body.update((name, value) for name, value in optional.items() if value is not None)
    return Output("alerts", crossing.subject_id, identity, body)
