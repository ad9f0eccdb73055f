"""Dead letters counted where they lie, whoever refused the input: an API, a lane, or a command that has ended.

Every letter is read by one worker of the group, so the sum over the workers is the number of letters, from when the
first worker of an installation began.
"""

from typing import Any

import faust
import msgspec
from prometheus_client import Counter

from connectors import refusals
from risk import refused

REASONS = (
    refusals.REASONS
    | refused.REASONS
    | {
        "BAD_CONTRIBUTION",
        "BAD_FIELD",
        "BAD_PSN_NO",
        "IN_THE_FUTURE",
        "NO_PERSON",
        "NO_SUBJECT_EVENT",
        "PLACEHOLDER_CODE",
    }
)
"""Why there are letters. Each is shown from the beginning: of a number whose first sight is 5,000 nobody knows by how
much it has grown.
"""


class Letter(msgspec.Struct):
    """What is counted of a letter. A resolution names none: it says that an earlier letter was retried."""

    reason: str = ""


_LETTER = msgspec.json.Decoder(Letter)
REASON_LENGTH_MAX = 40  # ours are shorter; whatever else lies on the topic must not fill the metrics


def reason_of(value: bytes | None) -> str | None:
    """Why a line was refused; None for what is no letter."""
    try:
        reason = _LETTER.decode(value or b"").reason
    except msgspec.DecodeError:
        return None
    return reason[:REASON_LENGTH_MAX] or None


def register_letter_count(app: faust.App, topic_name: str, letters: Counter) -> Any:
    """Attach the agent; `letters` are counted by their reason."""
    for reason in REASONS:
        letters.labels(reason)
    topic = app.topic(
        topic_name, key_serializer="raw", value_serializer="raw", value_type=bytes, key_type=bytes, internal=False
    )

    @app.agent(topic, name="count_letters")
    async def count_letters(values: Any) -> None:
        async for value in values:
            if reason := reason_of(value):
                letters.labels(reason).inc()

    return count_letters
