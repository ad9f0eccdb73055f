"""What was planted, in words that a detection can be held to: whose, which rule, from which event on, until when."""

from typing import Literal, NamedTuple

Verdict = Literal["planted", "below", "innocent"]
"""Must be found; misconduct one step below the threshold, and an innocent twin: neither may raise an alert."""


class Label(NamedTuple):
    """One expectation. `event_ids`: the one that crosses the threshold first, then the rest of the evidence.

    `level` 0 = any level. `why` says of an innocent what makes him look like a case. `ends_ms` is when the misconduct
    was over: an alert is worth more, the longer before that it comes.
    """

    rule: str
    level: int
    subject: str
    day: str
    event_ids: tuple[str, ...]
    verdict: Verdict = "planted"
    why: str = ""
    ends_ms: int = 0
