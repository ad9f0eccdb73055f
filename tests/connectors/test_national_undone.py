"""2601 in the fold: it names the message that it undoes, however that was numbered and whatever its bill is called."""

from typing import Any

import pytest

from connectors.state_codec import unpack_activity
from risk.activity import COUNTED, REVERSED, SILENCED, Activity
from tests.connectors.test_national import message, settled
from tests.connectors.test_national_sales import folded


def activity_after(*records: dict[str, Any]) -> Activity:
    stored, _, _ = (engine := folded(*records)).stored()
    return unpack_activity(stored[engine.people.values.address("a", "P1")])


def undone(msgid: str, infno: str, n: int = 0) -> dict[str, Any]:
    return message("2601", {"data": {"psn_no": "P1", "omsgid": msgid, "oinfno": infno}}, {}, msgid=f"U{n}")


def bill(infno: str = "2207", **answer: Any) -> dict[str, Any]:
    return settled(infno, **answer) | {"msgid": "B1"}


def reversal(infno: str) -> dict[str, Any]:
    sent = {"data": {"psn_no": "P1", "setl_id": "S1", "mdtrt_id": "M1"}}
    return message(infno, sent, {"setlinfo": {"setl_id": "S1R", "setl_time": "2026-03-10 08:40:00"}}, msgid="R1")


def admitted(infno: str = "2401") -> dict[str, Any]:
    sent = {"mdtrtinfo": {"psn_no": "P1", "begntime": "2026-03-10 08:00:00", "med_type": "21"}}
    return message(infno, sent, {"result": {"mdtrt_id": "M1"}}, msgid="A1")


def discharged(infno: str = "2402", msgid: str = "D1") -> dict[str, Any]:
    sent = {"dscginfo": {"psn_no": "P1", "mdtrt_id": "M1", "endtime": "2026-03-10 08:20:00"}}
    return message(infno, sent, {}, msgid=msgid)


@pytest.mark.parametrize("infno", ["2207", "2207A", "2304", "2304A"])
@pytest.mark.parametrize("own", [{}, {"medins_setl_id": "B1"}, {"medins_setl_id": "HIS9"}], ids=str)
def test_a_bill_is_undone_by_the_message_that_carried_it_whatever_it_is_called(infno: str, own: dict[str, str]):
    after = activity_after(bill(infno, **own), undone("B1", infno))
    assert [row.state for row in after.rows] == [REVERSED]
    assert dict(after.years) == {2026: 0}
    assert after.tombstones == ()
    early = activity_after(undone("B1", infno), bill(infno, **own))
    assert ([row.state for row in early.rows], early.tombstones) == ([SILENCED], ())


def test_a_message_that_carried_another_bill_undoes_that_one():
    after = activity_after(bill(medins_setl_id="HIS9"), undone("B2", "2207"))
    assert ([row.state for row in after.rows], len(after.tombstones)) == ([COUNTED], 1)


@pytest.mark.parametrize("infno", ["2208", "2208A", "2305", "2305A"])
def test_an_undone_reversal_lets_its_bill_count_again_also_where_its_number_is_revised(infno: str):
    assert [row.state for row in activity_after(bill(), reversal(infno)).rows] == [REVERSED]
    assert [row.state for row in activity_after(bill(), reversal(infno), undone("R1", infno)).rows] == [COUNTED]


@pytest.mark.parametrize("infno", ["2201", "2201A", "2401", "2401A"])
def test_an_undone_registration_is_a_cancelled_visit_also_where_its_number_is_revised(infno: str):
    (visit,) = activity_after(admitted(infno), undone("A1", infno)).visits
    assert visit.cancelled


@pytest.mark.parametrize("infno", ["2402", "2402A"])
def test_an_undone_discharge_leaves_the_patient_in_his_bed(infno: str):
    (visit,) = activity_after(admitted(), discharged(infno)).visits
    assert visit.ended_ms
    (visit,) = activity_after(admitted(), discharged(infno), undone("D1", infno)).visits
    assert not visit.ended_ms
    (visit,) = activity_after(admitted(), discharged(infno), undone("A1", infno)).visits
    assert visit.ended_ms, "the message that opened a visit did not end it"


def test_a_discharge_that_was_told_again_is_not_undone_with_the_one_before():
    (visit,) = activity_after(admitted(), discharged(), discharged(msgid="D2"), undone("D1", "2402")).visits
    assert visit.ended_ms
    (visit,) = activity_after(admitted(), discharged(), undone("D1", "2402"), discharged(msgid="D2")).visits
    assert visit.ended_ms


def test_a_sale_opens_a_visit_that_its_message_does_not_cancel_also_where_its_number_is_revised():
    sent = {"druginfo": {"psn_no": "P1"}, "drugdetail": [{"feedetl_sn": "1", "cnt": "1", "det_item_fee_sumamt": "1",
                                                           "med_list_codg": "X"}]}  # fmt: skip
    sold = bill("2102A") | {"input": sent}
    (visit,) = activity_after(sold, undone("B1", "2201")).visits
    assert not visit.cancelled
