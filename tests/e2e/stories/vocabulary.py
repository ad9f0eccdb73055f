"""The words of the story files: who does what, what is said with it, what may be expected after it. Not a test.

tests/cases/stories/README.md says the same for people, and a test compares the two.
"""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple


class Words(NamedTuple):
    """What an entry must and may say beside who does what."""

    needed: frozenset[str] = frozenset()
    allowed: frozenset[str] = frozenset()


def _says(needed: str = "", allowed: str = "") -> Words:
    return Words(frozenset(needed.split()), frozenset(allowed.split()))


DEEDS: dict[tuple[str, str], Words] = {
    ("patient", "signs"): _says("agreement bank by", "line_yuan"),
    ("patient", "objects"): _says("bill"),
    ("patient", "pays at the counter"): _says("visit amount_yuan", "bill"),
    ("patient", "repays the bank"): _says("amount_yuan", "agreement"),
    ("hospital", "opens a visit"): _says("visit kind", "insured_at"),
    ("hospital", "asks for credit"): _says("visit amount_yuan", "request pool scope agreement emergency"),
    ("hospital", "asks for more"): _says("request amount_yuan"),
    ("hospital", "estimates the bill"): _says("visit cash_yuan"),
    ("hospital", "adds costs"): _says("visit amount_yuan patient_pays_yuan"),
    ("hospital", "sends the bill"): _says("visit bill cash_yuan", "request on_credit_yuan mid_stay"),
    ("hospital", "takes the bill back"): _says("bill"),
    ("hospital", "discharges"): _says("visit"),
    ("bank", "will book and stay silent"): _says("", "order times"),
    ("bank", "will refuse"): _says("code cause", "order times"),
    ("bank", "is down"): _says("bank"),
    ("bank", "is up again"): _says("bank"),
    ("bank", "changes the line"): _says("line_yuan", "agreement"),
    ("bank", "reports arrears"): _says("", "agreement"),
    ("bank", "reports arrears paid"): _says("", "agreement"),
    ("authority", "sets the level"): _says("level"),
    ("authority", "states"): _says("status", "entitlement"),
    ("authority", "decides the objection"): _says("outcome"),
    ("time", "passes"): _says(),
}
BRINGS_IN = {"signs": "agreement", "opens a visit": "visit", "sends the bill": "bill"}
"""What has a name of its own, by the deed that begins it."""
CHECKOUTS = frozenset({"asks for credit", "asks for more"})

STEP = frozenset({"at", "who", "does", "note", "then"})
STORY = frozenset({"title_zh", "title_en", "rests_on", "pool", "step"})

MONEY = {  # an expectation about this step's decision -> the field of the decision
    "approved_yuan": "approved_fen",
    "captured_yuan": "captured_fen",
    "top_up_yuan": "top_up_fen",
    "could_get_yuan": "max_approvable_fen",
    "returned_at_counter_yuan": "counter_return_fen",
    "held_again_yuan": "reopened_fen",
    "released_yuan": "released_fen",
    "surplus_yuan": "surplus_fen",
    "overdue_yuan": "overdue_fen",
}
POOL = {  # an expectation about the pool -> the field of a credit query
    "held_yuan": "held_fen",
    "used_yuan": "used_fen",
    "limit_yuan": "limit_fen",
    "available_yuan": "available_fen",
}
DECISION = frozenset({"decision", "reasons", "noted", "article", *MONEY})
THEN = DECISION | POOL.keys() | {
    "pool", "clerk_reads", "entitlements", "blocked_by", "marks", "bills", "orders", "bank_books", "bank_hears",
    "bank_answers", "alerts", "also_decided",
}  # fmt: skip
ROWS = {  # expectations that are lists of small tables -> what a row must and may say
    "bills": _says("bill", "owed_yuan captured_yuan top_up_yuan funding repayment"),
    "orders": _says("kind yuan", "attempt agreement"),
    "bank_books": _says("kind yuan", "agreement"),
    "also_decided": _says("kind decision", " ".join(sorted(DECISION - {"decision"}))),
}

CHOICES = {
    "by": {"card": "card_withhold", "credit line": "credit_line"},
    "kind": {"outpatient": "11", "inpatient": "21", "emergency": "13"},
    "order": {"debit": "debit", "draw": "draw", "refund": "refund"},
    "cause": {"person": "person", "bank": "bank"},
    "pool": {"visit_first": "visit_first", "deposit_free": "deposit_free"},
    "scope": {"settlement": "settlement", "visit": "visit"},
}
TYPES: dict[str, type | tuple[type, ...]] = {
    "at": datetime,
    "emergency": bool,
    "mid_stay": bool,
    "times": int,
    "attempt": int,
    "then": dict,
    **dict.fromkeys(("rests_on", "step", "reasons", "noted", "entitlements", "blocked_by", "marks", "bank_hears",
                     "bank_answers", "alerts", *ROWS), list),
}  # fmt: skip


def in_fen(name: str) -> str:
    """The name of an amount once it is fen."""
    return name.removesuffix("yuan") + "fen" if name.endswith("yuan") else name


def type_of(name: str) -> type | tuple[type, ...]:
    """What a key's value must be: money is written in yuan, whole or with its decimals."""
    if name == "yuan" or name.endswith("_yuan"):
        return (int, Decimal)
    return TYPES.get(name, str)
