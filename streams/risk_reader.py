"""The risk state of one subject, computed from its alerts when an operator asks. It is stored nowhere."""

from typing import TYPE_CHECKING, Any

from risk.handling import Handling
from risk.local_time import rfc3339
from risk.risk_state import MOST, Weights, risk_state
from streams.handling_board import read_acts
from streams.topic_reader import bodies

if TYPE_CHECKING:
    from streams.settings import Settings


def risk_of(settings: "Settings", subject_kind: str, subject_id: str, now_ms: int) -> dict[str, Any]:
    """The state as `xinmai show` prints it."""
    tuning = settings.tuning
    by_severity = (tuning.risk_weight_1, tuning.risk_weight_2, tuning.risk_weight_3, tuning.risk_weight_4)
    about = (
        alert
        for alert in bodies(settings.kafka, settings.topics.alerts, key=subject_id)
        if (alert["subject_kind"], alert["subject_id"]) == (subject_kind, subject_id)
    )
    verdicts = Handling(read_acts(settings.kafka, settings.topics)).verdicts
    state = risk_state(about, verdicts, now_ms, Weights(by_severity, tuning.risk_half_life_days))
    return {
        "value": state.value,
        "of": MOST,
        "alerts": state.alerts,
        "as_of": rfc3339(now_ms),
        "note": "内部监测值，非信用等级 / internal, observes only; no credit level",
    }
