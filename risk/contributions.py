"""What happens to a person at an institution or with a doctor, as their days count it: the second hop's input.

A contribution carries the original's time and amounts, so that a reversal finds its day (design.md 3.5). It names no
person: distinct people are counted by a 64-bit hash.
"""

from functools import lru_cache

from msgspec.structs import replace

from risk.activity import Row, Stored, hash64

INSTITUTION, STAFF, CODE, SHELF, REGULAR = "i", "s", "t", "g", "r"
BAD_INSTITUTION_CODE, BAD_DOCTOR_CODE, SILENT, NO_BILL, EMERGENCY, INTERIM = 1, 2, 4, 8, 16, 32
"""Marks. SILENT: counts, opens and closes nothing. NO_BILL: something else than a settlement: only `beside` counts.
INTERIM: a bill in the middle of a stay, which is no stay more.
"""

Beside = tuple[tuple[int, int], ...]
"""Counters (their places, counters.py) and what is added to each."""


class Contribution(Stored, frozen=True):
    """+1 or -1 settlement (or `beside` alone) to one subject, moved by the record `event_id`; `original_id` is the
    settlement itself.

    To a trace code (boxes.py): the box was sold, or came back, at `fixmedins_code`. To the shelves of an institution
    (billed.py): a line, which `person` tells from others, was billed, or taken back; `original_id` is then its item.
    To the regulars of a place (regulars.py): one of them settled there, or did not; `dates`: all on which he did in the
    window.
    """

    subject_kind: str
    subject_id: str
    sign: int
    at_ms: int
    moved_ms: int
    event_id: str
    original_id: str
    person: int
    fixmedins_type: str
    med_type: str
    medfee_fen: int
    fund_fen: int
    marks: int
    beside: Beside = ()
    fixmedins_code: str = ""  # where a doctor signed, or a box was sold; an institution is the subject
    doctor: int = 0  # hash64 of who prescribed what a pharmacy sold
    dates: tuple[int, ...] = ()


def contributions(psn_no: str, row: Row, *, sign: int, event_id: str, moved_ms: int, marks: int) -> list[Contribution]:
    """The contributions of one settlement: to its institution under the code as sent, to its doctor if that is one."""

    to_institution = Contribution(
        INSTITUTION,
        row.fixmedins_code,
        sign,
        row.at_ms,
        moved_ms,
        event_id,
        event_id if sign > 0 and not marks & SILENT else row.event_id,  # it is the settlement itself: not read again
        person_hash(psn_no),
        row.fixmedins_type,
        row.med_type,
        row.medfee_fen,
        row.fund_fen,
        marks,
        row.beside,
    )
    if not row.dr_code or marks & BAD_DOCTOR_CODE:
        return [to_institution]
    if row.fixmedins_type == "2":
        to_institution = replace(to_institution, doctor=person_hash(row.dr_code))
    to_doctor = replace(
        to_institution, subject_kind=STAFF, subject_id=row.dr_code, fixmedins_code=row.fixmedins_code, doctor=0
    )
    return [to_institution, to_doctor]


@lru_cache(maxsize=65_536)
def person_hash(code: str) -> int:
    """By what a subject tells people, and doctors, apart."""
    return hash64(code)
