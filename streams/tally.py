"""What a lane counted since it last told its parent, and where its time went. Its parent exports it (metrics.py)."""

import time
from collections import Counter, defaultdict

from risk.outputs import Output
from streams.shards import Effects


class Tally:
    """Plain counters: the loop pays for no metrics library.

    `records` and `seconds_total` are never reset: benchmarks read them.
    """

    def __init__(self) -> None:
        self.records = 0
        self.timers = 0
        self.seconds_total: defaultdict[str, float] = defaultdict(float)
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._commits_s: list[float] = []
        self._batches: list[int] = []

    def spent(self, phase: str, started: float) -> None:
        """Add the time since `started` (perf_counter) to a phase of the cycle."""
        elapsed_s = time.perf_counter() - started
        self._seconds[phase] += elapsed_s
        self.seconds_total[phase] += elapsed_s
        if phase == "commit":
            self._commits_s.append(elapsed_s)

    def reclaimed(self, cause: str) -> None:
        """A shard was lost and has to be claimed again."""
        self._counts["reclaim", cause] += 1

    def folded(self, said: list[Effects]) -> None:
        """Count what records did and said."""
        self.records += len(said)
        self._batches.append(len(said))
        self._counts.update(("event", effects.event_type, effects.result) for effects in said)
        self._counts.update(_kind(output) for effects in said for output in effects.outputs)

    def take(self) -> dict[str, object]:
        """Everything since the last call, ready for the pipe."""
        counts = [[*key, count] for key, count in self._counts.items()]
        taken: dict[str, object] = {
            "counts": counts,
            "seconds": dict(self._seconds),
            "commits_s": self._commits_s,
            "batches": self._batches,
        }
        self._counts.clear()
        self._seconds.clear()
        self._commits_s, self._batches = [], []
        return taken


def _kind(output: Output) -> tuple[str, ...]:
    body = output.body
    match output.topic:
        case "alerts":
            return "alert", body["rule_id"], body["kind"]
        case "decisions":
            code = body["reasons"][0]["code"] if body.get("reasons") else "OK"
            return "decision", body.get("kind", ""), body.get("decision", ""), code
        case "withholding":
            return "order", body.get("kind", ""), "emitted"
    return "deadletter", body.get("reason", "")
