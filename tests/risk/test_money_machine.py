"""Ten thousand random steps of three people's money, folded one by one: both books agree and no invariant breaks."""

from hypothesis import HealthCheck, settings

from tests.risk.money_machine import Money

Money.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestMoney = Money.TestCase
