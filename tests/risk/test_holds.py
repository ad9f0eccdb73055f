"""The table of a hold's life: every state × every action, from the enums, so that a new state cannot escape."""

from itertools import product

import pytest

from risk.credit import HoldState
from risk.exposure import OPEN_STATES
from risk.holds import TRANSITIONS, HoldAction, IllegalMove, after, is_legal

OPEN_ONLY = {
    HoldAction.INCREASE,
    HoldAction.CAPTURE_PART,
    HoldAction.CAPTURE_FINAL,
    HoldAction.RELEASE,
    HoldAction.EXPIRE,
    HoldAction.VOID,
}
BEGINNING = {HoldAction.PLACE, HoldAction.DENY}
FREE_IDS = {HoldState.NONE, HoldState.VOIDED}  # a voided id was told to nobody
ENDS = {
    HoldAction.CAPTURE_FINAL: HoldState.CAPTURED,
    HoldAction.RELEASE: HoldState.RELEASED,
    HoldAction.EXPIRE: HoldState.EXPIRED,
    HoldAction.VOID: HoldState.VOIDED,
}
EVERYTHING = list(product(HoldState, HoldAction))


def allowed(state, action):
    """Said once more in other words than the table's."""
    if action in BEGINNING:
        return state in FREE_IDS
    if action in OPEN_ONLY:
        return state in OPEN_STATES
    if action is HoldAction.ADVISE:
        return state not in OPEN_STATES
    return state is not HoldState.NONE  # REOPEN


@pytest.mark.parametrize(("state", "action"), EVERYTHING, ids=str)
def test_a_hold_moves_exactly_where_it_may(state, action):
    assert is_legal(state, action) == allowed(state, action)
    if not is_legal(state, action):
        with pytest.raises(IllegalMove) as caught:
            after(state, action)
        assert (caught.value.state, caught.value.action) == (state, action)
        assert str(state) in str(caught.value)


@pytest.mark.parametrize(("state", "action"), list(TRANSITIONS), ids=str)
def test_an_open_hold_stays_open_or_ends_as_its_action_says(state, action):
    reached = after(state, action)
    if action in ENDS:
        assert reached is ENDS[action]
        assert reached not in OPEN_STATES
    if action in (HoldAction.PLACE, HoldAction.REOPEN):
        assert reached in OPEN_STATES
    if action is HoldAction.ADVISE:
        assert reached is HoldState.ADVICE


def test_every_state_can_be_reached():
    reached = {HoldState.NONE}
    for _ in HoldState:
        reached |= {to for (start, _), to in TRANSITIONS.items() if start in reached}
    assert reached == set(HoldState)
