"""A deposit-free hold ends by itself, also where nobody registered the stay; and lasts as long as the stay does."""

import pytest

from risk import facts
from risk.holds import HoldState
from tests.risk.credit_life import HOSPITAL, Life, at, replace

OPENED = {"fixmedins_code": HOSPITAL, "fixmedins_type": "1", "med_type": "21"}


def unregistered():
    """A hold of Friday morning for a number nobody registered: two days after its day end on Monday at 00:00."""
    life = Life("2024-03-01").sign()
    asked = {"service": "deposit_free", "med_type": "21", "amount_fen": 500_000, "mdtrt_id": "M1"}
    told = life.ask(facts.AuthorizationRequested, request_id="", **asked).reply
    assert told["expires_at"] == "2024-03-04T00:00:00.000+08:00"
    return life


def test_a_hold_for_a_stay_that_nobody_registers_ends_two_days_after_its_day():
    life = unregistered()
    life.pass_time(until=("2024-03-03", 23, 59))
    assert life.held == 500_000
    life.pass_time(until=("2024-03-04", 0))
    assert life.held == 0
    assert life.credit.ended[0].state is HoldState.EXPIRED


@pytest.mark.parametrize("how", [facts.VisitOpened, facts.VisitUpdated])
def test_once_the_stay_is_registered_it_waits_for_the_discharge(how):
    life = unregistered()
    fields = OPENED if how is facts.VisitOpened else {"med_type": "21"}
    life.visit("M1", med_type="21").tell(how, mdtrt_id="M1", **fields)
    assert life.credit.authorizations[0].expires_ms == 0
    life.pass_time(until=("2024-03-28", 10))
    assert life.held == 500_000
    life.close()
    life.pass_time(until=("2024-04-30", 0))
    assert life.held == 0


def test_a_hospital_that_sends_lines_and_no_registration_keeps_its_hold_two_days_beyond_the_last():
    life = unregistered()
    life.visit("M1", med_type="")
    for day in ("2024-03-03", "2024-03-05", "2024-03-07"):
        life.pass_time(until=(day, 12))
        life.fee(1_000, f"F{day}")
        assert life.held == 500_000
    life.pass_time(until=("2024-03-09", 23, 59))
    assert life.held == 500_000
    life.pass_time(until=("2024-03-10", 0))
    assert life.held == 0


def test_a_stay_known_as_one_only_when_its_time_came_is_waited_for():
    life = unregistered()
    life.visits["M1"] = replace(Life().visit("M1", med_type="21").visits["M1"], newest_ms=at("2024-03-01"))
    life.pass_time(until=("2024-03-20", 0))
    assert life.held == 500_000
