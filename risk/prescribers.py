"""Whose prescriptions one pharmacy filled on one local date (D08): patients and amounts by doctor.

Packed like a day's people: one record for each doctor and patient, in the order in which they came; one leaves when
nothing of it is left. It is as large as one date is, and forgotten with that date's people.
"""

from struct import Struct

_BILLS = Struct(">QQHq")  # doctor and person, hash64 each; bills, and what they come to (fen)
_KEY_BYTES = 16


def with_bill(kept: bytes, doctor: int, person: int, *, sign: int, fen: int) -> bytes:
    """The day with one bill more, or one taken back that was counted."""
    size, needle = _BILLS.size, doctor.to_bytes(8) + person.to_bytes(8)
    at = kept.find(needle)
    while at >= 0 and at % size:
        at = kept.find(needle, at + 1)
    if at < 0:
        return kept + _BILLS.pack(doctor, person, 1, fen) if sign > 0 else kept
    _, _, bills, total_fen = _BILLS.unpack_from(kept, at)
    bills, total_fen = bills + sign, total_fen + sign * fen
    left = needle + _BILLS.pack(doctor, person, bills, total_fen)[_KEY_BYTES:] if bills else b""
    return kept[:at] + left + kept[at + size :]


def dearest(kept: bytes, *, persons: int, least: int, scale: int) -> int:
    """The mean bill of one doctor with so many patients and more, in hundredths (`scale`) of that of all other doctors'
    bills, of which there are `least`; the greatest of all doctors, rounded down; 0 where nobody can be compared.
    """
    if len(kept) < persons * _BILLS.size:
        return 0
    found: dict[int, list[int]] = {}
    for doctor, _, bills, fen in _BILLS.iter_unpack(kept):
        own = found.setdefault(doctor, [0, 0, 0])
        own[0] += 1
        own[1] += bills
        own[2] += fen
    all_bills, all_fen = (sum(own[at] for own in found.values()) for at in (1, 2))
    most = 0
    for patients, bills, fen in found.values():
        others, others_fen = all_bills - bills, all_fen - fen
        if patients >= persons and others >= least and others_fen > 0:
            most = max(most, fen * others * scale // (others_fen * bills))
    return most
