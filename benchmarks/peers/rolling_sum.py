"""One person's rolling sum in plain Python, as the peers' programs keep it, so that only their frames differ."""

from collections import deque
from datetime import datetime

THRESHOLD_FEN = 500_000
REARM_FEN = THRESHOLD_FEN * 8 // 10
WINDOW_MS = 24 * 3_600_000


class RollingSum:
    """The window (t - 24 h, t] and its episode. Input comes in order of time."""

    __slots__ = ("is_open", "rows", "total_fen")

    def __init__(self):
        self.rows = deque()
        self.total_fen = 0
        self.is_open = False

    def reaches(self, at_ms, amount_fen):
        """Whether this bill opens an episode."""
        while self.rows and self.rows[0][0] <= at_ms - WINDOW_MS:
            self.total_fen -= self.rows.popleft()[1]
        if self.is_open and self.total_fen < REARM_FEN:
            self.is_open = False
        self.rows.append((at_ms, amount_fen))
        self.total_fen += amount_fen
        if self.is_open or self.total_fen < THRESHOLD_FEN:
            return False
        self.is_open = True
        return True


def at_ms_of(event):
    """The event's own time."""
    return round(datetime.fromisoformat(event["occurred_at"]).timestamp() * 1000)


def alert_of(event):
    """What the peers write: the event that crossed the line."""
    return {"rule_id": "X01", "subject_id": event["psn_no"], "vola_evid": [event["event_id"]]}
