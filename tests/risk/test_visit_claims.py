"""Whose visit it is where two institutions speak of one number: the registration tells, and what is held stays held."""

import pytest
from msgspec.structs import replace

from risk import facts
from tests.risk.credit_life import HOSPITAL
from tests.risk.test_senders import EARLY, MINE, OPENED, OTHER, THEIRS, VISIT, Folded


@pytest.mark.parametrize("end", [facts.VisitClosed, facts.VisitCancelled])
@pytest.mark.parametrize("service", ["visit_first", "deposit_free"])
def test_a_hold_keeps_nobody_from_opening_the_visit_and_outlasts_anothers_end_of_it(end, service):
    folded = Folded()
    asked(folded, service)
    theirs = {"mdtrt_id": "M2", "fixmedins_code": OTHER}
    kind = {"med_type": "21" if service == "deposit_free" else "11"}
    folded.tell(facts.VisitOpened, THEIRS, **OPENED | kind | theirs)
    assert folded.result == "applied"
    folded.tell(facts.FeeAdded, THEIRS, **EARLY["a line"][1] | theirs)
    assert folded.result == "applied"
    folded.tell(end, THEIRS, mdtrt_id="M2")
    assert folded.result == "applied"
    (hold,) = folded.person.credit.authorizations
    assert hold.fixmedins_code == HOSPITAL
    assert hold.expires_ms > folded.now_ms, "and by its time it ends"


@pytest.mark.parametrize(
    ("first", "kind"), [("closed", "closed"), ("cancelled", "closed"), ("a line", "closed"), ("a line", "a line")]
)
def test_what_is_refused_because_another_spoke_first_is_heard_when_it_is_sent_again_after_the_opening(first, kind):
    folded, (told_by, fields) = Folded(), EARLY[first]
    folded.tell(told_by, THEIRS, mdtrt_id="M1", **fields)
    mine, said = EARLY[kind][0], {**EARLY[kind][1], "mdtrt_id": "M1"}
    said |= VISIT if kind == "a line" else {}
    before = folded.person
    folded.assert_refused(before, folded.tell(mine, MINE, "mine", **said))
    folded.tell(facts.VisitOpened, MINE, **OPENED, **VISIT)
    folded.tell(mine, MINE, "mine", **said)
    assert folded.result == "applied"


def asked(folded: Folded, service: str) -> None:
    """A hold on M2; the agreement knows one service only, so the other is put in its place."""
    folded.settled()
    folded.tell(
        facts.AuthorizationRequested, authorization_id="A2", service="visit_first", mdtrt_id="M2", med_type="11",
        scope="visit", fixmedins_code=HOSPITAL, amount_fen=10_000, attempt="t", reply_to="api",
        event_id=f"auth:{HOSPITAL}:A2",
    )  # fmt: skip
    (hold,) = folded.person.credit.authorizations
    credit = replace(folded.person.credit, authorizations=(hold._replace(service=service),))
    folded.person = replace(folded.person, credit=credit)


def test_a_stay_that_another_opens_makes_no_hold_of_ours_endless():
    folded = Folded()
    asked(folded, "deposit_free")
    (hold,) = folded.person.credit.authorizations
    assert hold.expires_ms > folded.now_ms
    theirs = {"mdtrt_id": "M2", "fixmedins_code": OTHER, "med_type": "21"}
    folded.tell(facts.VisitOpened, THEIRS, **OPENED | theirs)
    folded.tell(facts.VisitReopened, THEIRS, mdtrt_id="M2")
    (after,) = folded.person.credit.authorizations
    assert after.expires_ms == hold.expires_ms


@pytest.mark.parametrize("service", ["visit_first", "deposit_free"])
@pytest.mark.parametrize("registers", [True, False])
def test_a_cancel_by_who_speaks_for_all_releases_it_whatever_place_a_line_named(service, registers):
    folded = Folded()
    folded.tell(facts.FeeAdded, "operator", **EARLY["a line"][1] | {"mdtrt_id": "M2", "fixmedins_code": OTHER})
    asked(folded, service)
    assert folded.person.credit.authorizations
    if registers:
        kind = {"mdtrt_id": "M2", "fixmedins_code": HOSPITAL, "med_type": "21" if service == "deposit_free" else "11"}
        folded.tell(facts.VisitOpened, "operator", **OPENED | kind)
        assert folded.person.activity.visits[-1].fixmedins_code == HOSPITAL
    folded.tell(facts.VisitCancelled, "operator", mdtrt_id="M2")
    assert folded.person.credit.authorizations == ()
