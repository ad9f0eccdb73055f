"""The engine's windows and episodes against the naive oracle, on logs that go where windows break."""

from collections import Counter

from risk.facts import SettlementCompleted, SettlementReinstated, SettlementReversed, VisitOpened
from tests.oracle.logs import CAP_FEN, SMALL, seeded_log
from tests.oracle.reference import told_by_oracle


def cap_of(insuplc: str | None, insutype: str | None) -> int | None:
    return CAP_FEN if (insuplc or "").startswith("4305") and insutype == "310" else None


def test_the_random_logs_reach_every_rule_level_and_end_of_an_episode() -> None:
    """Agreement on logs in which nothing happens would prove nothing."""
    seen: Counter[tuple[str, int, str]] = Counter()
    kinds: Counter[str] = Counter()
    for seed in range(60):
        facts = seeded_log(seed)
        kinds.update(fact.event_type for fact in facts)
        seen.update((a["rule_id"], a["level"], a["episode"]) for _, a in told_by_oracle(facts, SMALL, cap_of))
    episodic = [("P01", 1), ("P01", 2), ("P02", 1), ("P02", 2), ("P12", 1), ("P12", 2), ("P12", 3), ("P17", 1)]
    for rule_id, level in [*episodic, ("D01", 1), ("M01", 1)]:
        assert seen[rule_id, level, "opened"] >= 5, (rule_id, level, seen)
        assert seen[rule_id, level, "closed"] >= 3, (rule_id, level, seen)
    for rule_id in ("P03", "P13", "Q01", "Q02", "Q03", "Q04"):
        assert seen[rule_id, 1, "opened"] >= 10, (rule_id, seen)
        assert seen[rule_id, 1, "closed"] == 0
    for kind in (SettlementCompleted, SettlementReversed, SettlementReinstated, VisitOpened):
        assert kinds[kind.event_type] >= 50
