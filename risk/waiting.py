"""Money paid at the counter before its bill: how long it waits for one, and when it is said to be given back.

It waits while its visit goes on, something is held for it or a limit refused it lately; then for two days more, as long
as a visit is remembered, since a bill may come late. Of a cancelled visit none is to come.
"""

from msgspec.structs import replace

from risk.answers import decision
from risk.bundles import visit_ends_ms
from risk.credit import Context, Credit, Move
from risk.local_time import DAY_MS
from risk.outputs import Output, Reply, derived_id
from risk.reasons import Outcome, ReasonCode, Said, reason_body
from risk.watched import Want

_LATE_BILL_MS = 2 * DAY_MS


def waited(credit: Credit, context: Context) -> Move:
    """The record that knows till when each early payment waits, without those that have waited in vain."""
    said: list[Output | Reply] = []
    wants = []
    for want in credit.wants:
        until_ms = _until_ms(credit, want, context) if want.topped_up_fen else 0
        if 0 < until_ms <= context.now_ms:
            said.append(_given_back(want, context))
        else:  # what is not held for any more asks for nothing
            wants.append(want._replace(asked_fen=0 if until_ms else want.asked_fen, waits_until_ms=until_ms))
    return (credit if tuple(wants) == credit.wants else replace(credit, wants=tuple(wants))), said


def _until_ms(credit: Credit, want: Want, context: Context) -> int:
    """0 = its visit goes on, or it may be held for again."""
    if want.refused_until_ms or any(hold.mdtrt_id == want.mdtrt_id for hold in credit.authorizations):
        return 0
    visit = context.visit_of(want.mdtrt_id)
    if visit is None:
        return want.waits_until_ms or context.now_ms + _LATE_BILL_MS
    if visit.cancelled:
        return context.now_ms
    end_ms = visit_ends_ms(credit, want.mdtrt_id, context)
    return end_ms and end_ms + _LATE_BILL_MS


def _given_back(want: Want, context: Context) -> Output:
    said = Said(ReasonCode.SURPLUS, Outcome.RELEASE, want.topped_up_fen, 0, "bundle")
    body = {
        "decision": Outcome.RELEASE.value,
        "amount_fen": want.topped_up_fen,
        "items": [],
        "surplus_fen": want.topped_up_fen,
        "given_back_by": "institution",
        "waited_fen": want.topped_up_fen,
        "mdtrt_id": want.mdtrt_id,
        "fixmedins_code": want.fixmedins_code or None,
        "reasons": [reason_body(said, context.terms)],
    }
    names = (context.psn_no, context.record_id, want.mdtrt_id, want.service)
    return decision(context, "payment", derived_id("de_", "waited", *names), body)
