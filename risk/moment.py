"""Where and when a record is judged: its place in the log, its instants, and the policy of its own day."""

from typing import Any

from msgspec import Struct

from risk.alerts import Crossing, alert
from risk.outputs import Output
from risk.policy import Policy
from risk.terms import Clause, Terms


class Moment(Struct, frozen=True, gc=False):
    """`occurred_ms` is the record's business time, `stamp_ms` the log's stamp, `now_ms` the shard's clock at it, `day`
    the local day of what is judged: its terms are those.
    """

    position: str
    event_id: str
    occurred_ms: int
    stamp_ms: int
    now_ms: int
    policy: Policy
    terms: Terms
    day: int

    def quality_alert(self, rule_id: str, institution: str, **optional: Any) -> list[Output]:
        """A data-quality alert about this record at an institution (Q03-Q06), if the policy has the rule."""
        clause = self.terms.get(rule_id)
        if clause is None:
            return []
        return [
            self.alert(
                clause,
                Crossing(
                    rule_id,
                    1,
                    clause.value.kind,
                    clause.value.sev,
                    "institution",
                    institution,
                    self.event_id,
                    self.occurred_ms,
                    self.stamp_ms,
                    1,
                    0,
                ),
                fixmedins_code=institution,
                **optional,
            )
        ]

    def alert(
        self,
        clause: Clause,
        crossing: Crossing,
        *,
        episode: str = "opened",
        evidence: tuple[str, ...] = (),
        window_ms: int = 0,
        texts: tuple[str, str] | None = None,
        **optional: Any,
    ) -> Output:
        """An alert under this moment's policy, with the clause's own sentence unless another is given."""
        return alert(
            crossing,
            episode=episode,
            clause=clause.source(),
            policy_version=self.policy.version,
            texts=texts or clause.value.texts(crossing.level),
            evidence=evidence,
            window_ms=window_ms,
            **optional,
        )
