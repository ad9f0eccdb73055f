"""What a visit is made of: one happening per message that a hospital or pharmacy sends, before it is spelled out."""

from collections.abc import Iterator
from typing import NamedTuple

from risk.facts import Fact
from risk.local_time import to_datetime

PAPER = "paper"
"""Not a platform transaction: a bank's or an authority's fact, spelled only canonically."""
CHECKOUT = "checkout"
"""Not a message: the counter asks the live API for an authorization."""
CAPTURE = "capture"
"""Nor this: it asks to take the cash part of a bill out of what was authorized, before the bill is told."""
CALLS = (CHECKOUT, CAPTURE)


class Visit(NamedTuple):
    """One visit or admission; a purchase at a pharmacy is one too."""

    mdtrt_id: str
    psn_no: str
    fixmedins_code: str
    fixmedins_type: str
    med_type: str
    insutype: str
    insuplc_admdvs: str
    dr_code: str
    dept_code: str
    number: int
    gend: str = ""
    age: int = 0
    """Whole years; with `gend` what the platform states beside a bill."""
    diag: str = ""
    """The first three characters of the diagnosis; '' = what the kind of visit suggests."""


DIAGNOSES = {"14": ("I10", "E11"), "21": ("J18", "K80", "I63", "S72", "J44", "N20", "E11", "C50")}


def diagnosis_of(visit: Visit) -> str:
    """The visit's own, else what its kind suggests: a cold at the clinic."""
    suggested = DIAGNOSES.get(visit.med_type, ("J06",))
    return visit.diag or suggested[visit.number % len(suggested)]


class Line(NamedTuple):
    """One fee line."""

    feedetl_sn: str
    med_list_codg: str
    cnt_x10000: int
    amount_fen: int
    prd_days: int | None = None
    trace_codes: tuple[str, ...] = ()
    """追溯码, twenty digits, one a box."""
    highest_price_fen: int | None = None
    """What the platform says a unit may cost."""
    executed_by: str = ""


class Bill(NamedTuple):
    """The amounts of an estimate or a settlement: medfee = fund + acct + cash (+ hosp)."""

    setl_id: str
    medfee_fen: int
    fund_fen: int
    acct_fen: int
    cash_fen: int
    credit_fen: int | None = None
    authorization_id: str | None = None
    own_fen: int = 0
    """What of it no scheme pays a part of (全自费)."""


class Happening(NamedTuple):
    """One message: what (`infno`), when, of which visit, and its own content."""

    at_ms: int
    infno: str
    visit: Visit
    msgid: str
    lines: tuple[Line, ...] = ()
    bill: Bill | None = None
    original_setl_id: str | None = None
    original_msgid: str | None = None
    fact: Fact | None = None


Script = Iterator[Happening]


def message_id(fixmedins_code: str, at_ms: int, number: int) -> str:
    """The sender's message id: institution (12), yyyyMMddHHmmss (14), serial (4)."""
    return f"{fixmedins_code}{to_datetime(at_ms):%Y%m%d%H%M%S}{number % 10_000:04d}"


def event_id(infno: str, msgid: str, number: int = 0) -> str:
    """The canonical event id of the n-th fact of a message (contract.md: `{infno}:{msgid}:{n}`)."""
    return f"{infno}:{msgid}:{number}"


def happening(visit: Visit, at_ms: int, infno: str, **content: object) -> Happening:
    """One message of `visit` at `at_ms`, cut to the whole second that the platform's clock has."""
    second_ms = at_ms - at_ms % 1000
    return Happening(second_ms, infno, visit, message_id(visit.fixmedins_code, second_ms, visit.number), **content)  # type: ignore[arg-type]


def captured(at_ms: int, asked: Happening) -> Happening:
    """The counter asks for the cash part of what it asked an authorization for."""
    return happening(asked.visit, at_ms, CAPTURE, bill=asked.bill)
