"""Cases as data: a short log written by hand becomes canonical facts; what the rules say of it becomes sentences.

The notation (tests/cases/rules/*.toml), one line per fact, numbered from 1 in log order:

    { at = "2026-03-01 09:00" }                            one settlement; whatever it does not say is in [usual]
    { at = "2026-03-01 09:00", times = 14, every = "1 d" } fourteen, a day apart: facts 1 to 14
    { at = "2026-03-16 09:00", reverse = 3 }               the settlement of fact 3 is undone (times = 2: 3, then 4)
    { at = "2026-03-16 10:00", reinstate = 3 }             and counts again
    { at = "2026-03-01 08:00", register = "V1" }           a visit is opened, a later `visit = "V1"` belongs to it

    { at = "2026-03-01 08:00", admit = "V1" }              admitted: a registration with med_type 21; `discharge = "V1"`
    { at = "2026-03-01 08:00", admit = "V1", diagnosis = "I10" }    and the admission names the diagnosis group
    { at = "2026-03-01 08:00", record = "V1", diagnosis = "I10" }   the visit's diagnosis group
    { at = "2026-03-01 08:00", record = "V1", becomes = "52" }      and its kind of treatment
    { at = "2026-03-01 08:00", dispense = "X1", visit = "V1", days = 7, quantity = 1 }   a fee line of item X1: line Ln
    { ..., signed = { prescription = "R1", pharmacist = "F1" } }   it is a prescription line, and who signed it
    { ..., ordered_by = "D1", executed_by = "T1" }         who ordered the line, and who executed it
    { at = "2026-03-02 08:00", take_back = 3 }             the fee line of fact 3 is taken back, or of it
                                                           `quantity = 2`, `of_fen = 100`; "unsettled": all that is
    { at = "2026-03-01 09:00", estimate = "V1" }           what the bill of the visit would be (2206)
    { at = "2026-03-02 08:00", bed = "present", visit = "V1" }      looked for in his bed (9604): present, absent
    { at = "2026-03-02 08:00", status = "deceased" }       the scheme says what his insurance is from then on
    { at = "2026-03-02 08:00", face = "failed" }           his face was compared (9601), at the institution
    { at = "2026-03-02 08:00", transfer = "H2", until = "2026-04-01 00:00" }  a transfer there is on file from then on
    { at = "2026-03-01 08:00", sign = "AG#" }              a credit line of a bank; bills with `on_credit` are on it
    { at = "2026-03-09 08:00", overdue = "AG1" }           its bank says so; `cured = "AG1"`
    { at = "2026-03-01 00:00", peers = ["inpatient_fee_fen", "inpatient_bills"], members = 12, p50 = 3000, p90 = 4000 }
                                                           what peers had in common on the 30 days before (least = 30)
    { at = "2026-03-02 08:00", stock = "sold", item = "X1", quantity = 1 }   the institution's own word (3501-3506)
    { at = "2026-03-02 08:00", stock = "sold", price = 1250, batch = "B1" }  12.50 yuan; `delete = "B1"` undoes it
    { at = "2026-03-01 08:00", staff_status = "suspended", since = "2026-03-02 00:00", document = "No1" }  the doctor's
    { at = "2026-03-01 08:00", asks = "audit", asker = "T1", person = "P#" }   somebody asks for his credit
    { ..., denied = true }  { ..., authorization = true }  and is not told; and names an authorization
    { at = "2026-03-01 08:00", points = 3, document = "No2" }     points determined, `determined` then if not now

A fee line or a stock movement may name its `boxes = [1, 2]`: box 1 has trace code 80000000000000000001; `codes` are as
sent.

A settlement may say: person, visit, institution, type, med_type, doctor, insured_at, here (where it is settled),
insutype, bill_fen, fund_fen, hospital_fen, person_fen, account_fen, cash_fen, own_fen, gend and age (an estimate too),
on_credit, `interim = true`, `same_key_as = 3`, and `silent_about = ["doctor"]`. `person`, `institution` and `visit` may
count: "P#" is P1, P2 ... by repetition. Fact n is settlement `Sn` of event `En`, of a visit of its own unless it names
one.
"""

import tomllib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from risk.facts import (
    AgreementSigned,
    BankCured,
    BankOverdue,
    BedChecked,
    Fact,
    FeeAdded,
    FeeReversed,
    IdentityChecked,
    InsuredStatusChanged,
    PeersPublished,
    QueryLogged,
    SettlementCompleted,
    SettlementEstimated,
    SettlementReinstated,
    SettlementReversed,
    StaffPointsDetermined,
    StaffStatusChanged,
    StockMoved,
    TransferFiled,
    VisitCancelled,
    VisitClosed,
    VisitOpened,
    VisitUpdated,
)
from risk.local_time import SHANGHAI
from risk.queries import person_of
from tests.oracle.judge import Alert

RULES = Path(__file__).parents[1] / "cases" / "rules"

USUAL: dict[str, Any] = {"person": "P1", "institution": "H430501", "type": "1", "med_type": "11", "bill_fen": 10_000}
UNITS = {"ms": "milliseconds", "s": "seconds", "min": "minutes", "h": "hours", "d": "days"}


class RuleCase(NamedTuple):
    """One case of one file: what happened, the caps it happened under, and what the rule says of it."""

    rule: str
    name: str
    shows: str
    facts: list[Fact]
    caps: list[tuple[str, str, int]]
    alerts: list[str]

    def cap(self, insuplc: str | None, insutype: str | None) -> int | None:
        """The annual cap by insured place (a prefix) and insurance type."""
        for prefix, kind, cap_fen in self.caps:
            if insuplc is not None and insuplc.startswith(prefix) and insutype == kind:
                return cap_fen
        return None


def rule_books() -> dict[str, dict[str, Any]]:
    """Every file of cases, by its name."""
    return {path.stem: tomllib.loads(path.read_text(encoding="utf8")) for path in sorted(RULES.glob("*.toml"))}


def rule_cases(policy: str = "") -> list[RuleCase]:
    """Every case that is judged under the page's numbers; with `policy`, those that name that place's, or whose file
    does.
    """
    cases = []
    for book in rule_books().values():
        caps = [(row["insured_at"], row["insutype"], row["cap_fen"]) for row in book.get("cap", [])]
        for case in book["case"]:
            if case.get("policy", book.get("policy", "")) != policy:
                continue
            facts = facts_of(case, book.get("usual", {}))
            cases.append(RuleCase(book["rule"], case["name"], case["shows"], facts, caps, case["alerts"]))
    return cases


def facts_of(case: Mapping[str, Any], usual: Mapping[str, Any]) -> list[Fact]:
    """The case's log as canonical facts; fact n has event_id `E<n>` and, if a settlement, setl_id `S<n>`."""
    facts: list[Fact] = []
    for line in case["log"]:
        for line_of_one in _repeated(line):
            said = {**USUAL, **usual, **case.get("usual", {}), **line_of_one}
            original = said.get("reverse") or said.get("reinstate")
            if original and original <= len(facts):
                said["person"] = facts[original - 1].psn_no
            facts.append(
                _fact(len(facts) + 1, {k: v for k, v in said.items() if k not in said.get("silent_about", ())})
            )
    return facts


def sentence(number: int, alert: Alert) -> str:
    """What one alert, raised by fact `number`, says: `15 opens level 1 of person P1, observed 15`."""
    deed = "opens" if alert["episode"] == "opened" else "closes"
    text = f"{number} {deed} level {alert['level']} of {alert['subject_kind']} {alert['subject_id']}"
    if alert.get("observed") is not None:
        text += f", observed {alert['observed']}"
    if alert.get("evidence"):
        text += f", with {', '.join(sorted(event.removeprefix('E') for event in alert['evidence']))}"
    return text if deed == "opens" else f"{text}, opened by {alert['crossing'].removeprefix('E')}"


def _repeated(line: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    start = _instant(line["at"])
    amount, unit = str(line.get("every", "0 s")).split()
    step = timedelta(**{UNITS[unit]: int(amount)})
    for n in range(line.get("times", 1)):
        counting = (
            "person", "institution", "visit", "register", "admit", "discharge", "cancel", "record", "estimate", "sign",
            "overdue",
            "cured",
        )  # fmt: skip
        named = {key: str(line[key]).replace("#", str(n + 1)) for key in counting if key in line}
        undone = {key: line[key] + n for key in ("reverse", "reinstate") if key in line}
        yield {**line, **named, **undone, "at": start + n * step}


def _fact(number: int, line: Mapping[str, Any]) -> Fact:
    if "stock" in line or "delete" in line:
        return _stock(number, line)
    if "asks" in line:
        return _query(number, line)
    if "peers" in line:
        return _peers(number, line)
    common: dict[str, Any] = {"event_id": f"E{number}", "occurred_at": line["at"], "psn_no": line["person"]}
    if (told := _of_the_person(common, line)) is not None:
        return told
    place = {"fixmedins_code": line["institution"], "fixmedins_type": line["type"]}
    moved = _of_staff(common, line) or _of_his_bank(common, line) or _of_a_visit(common, number, line, place)
    if moved is not None:
        return moved
    known = {"dr_code": line.get("doctor"), "insutype": line.get("insutype"), "insuplc_admdvs": line.get("insured_at")}
    if "reverse" in line:
        return SettlementReversed(**common, setl_id=f"S{line['reverse']}")
    if "reinstate" in line:
        return SettlementReinstated(**common, setl_id=f"S{line['reinstate']}")
    whose = {"gend": line.get("gend"), "age": line.get("age")}
    if "estimate" in line:
        asked = {"mdtrt_id": line["estimate"], "fixmedins_code": line["institution"]}
        return SettlementEstimated(**common, **asked, **_amounts(line), **whose)
    if "register" in line:
        return VisitOpened(**common, **place, **known, mdtrt_id=line["register"], med_type=line["med_type"])
    return SettlementCompleted(
        **common,
        **place,
        **known,
        **whose,
        **(amounts := _amounts(line)),
        credit_fen=amounts["psn_cash_pay_fen"] if line.get("on_credit") else None,
        setl_id=f"S{line.get('same_key_as', number)}",
        mdtrt_id=line.get("visit", f"V{number}"),
        med_type=line["med_type"],
        mdtrtarea_admvs=line.get("here"),
        emergency=line.get("emergency", False),
        mid_setl_flag="1" if line.get("interim") else None,
        fulamt_ownpay_amt_fen=line.get("own_fen"),
    )


def _of_staff(common: dict[str, Any], line: Mapping[str, Any]) -> Fact | None:
    """What an authority says of the doctor."""
    said = {**common, "psn_no": "", "dr_code": line.get("doctor"), "document_no": line.get("document")}
    if "staff_status" in line:
        until = _instant(line["until"]) if "until" in line else None
        return StaffStatusChanged(**said, status=line["staff_status"], since=_instant(line["since"]), until=until)
    if "points" in line:
        determined = _instant(line["determined"]) if "determined" in line else line["at"]
        return StaffPointsDetermined(**said, points=line["points"], determined_at=determined)
    return None


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def _of_the_person(common: dict[str, Any], line: Mapping[str, Any]) -> Fact | None:
    """What the scheme says of him, how his face looked, where he may go."""
    if "status" in line:
        return InsuredStatusChanged(**common, status=line["status"])
    if "face" in line:
        return IdentityChecked(**common, result=line["face"], fixmedins_code=line.get("institution"))
    if "transfer" in line:
        until = _instant(line["until"]) if "until" in line else None
        place = {"fixmedins_code": line["institution"], "to_fixmedins_code": line["transfer"]}
        return TransferFiled(**common, **place, valid_from=line["at"], valid_to=until)
    return None


def _of_his_bank(common: dict[str, Any], line: Mapping[str, Any]) -> Fact | None:
    """What a bank says of its credit line."""
    if "sign" in line:
        lent = {"funding_mode": "credit_line", "bank_line_fen": 10**7, "services": ("visit_first", "deposit_free")}
        return AgreementSigned(**common, **lent, agreement_no=line["sign"], bank_code="BCM")
    for word, kind in (("overdue", BankOverdue), ("cured", BankCured)):
        if word in line:
            return kind(**common, agreement_no=line[word], bank_ref=common["event_id"])
    return None


def _of_a_visit(common: dict[str, Any], number: int, line: Mapping[str, Any], place: dict[str, Any]) -> Fact | None:
    """Admissions, records and fee lines; a line goes with the visit that it names."""
    emergency = line.get("emergency", False)
    if "admit" in line:
        stay = {"mdtrt_id": line["admit"], "med_type": line.get("as", "21"), "emergency": emergency}
        return VisitOpened(**common, **place, **stay, diag_group=line.get("diagnosis"))
    if "discharge" in line:
        return VisitClosed(**common, mdtrt_id=line["discharge"])
    if "bed" in line:
        told = {"mdtrt_id": line["visit"], "fixmedins_code": line["institution"], "result": line["bed"]}
        return BedChecked(**common, **told)
    if "cancel" in line:
        return VisitCancelled(**common, mdtrt_id=line["cancel"])
    if "record" in line:
        return VisitUpdated(
            **common, mdtrt_id=line["record"], diag_group=line.get("diagnosis"), med_type=line.get("becomes")
        )
    if "take_back" in line:
        if line["take_back"] == "unsettled":
            return FeeReversed(**common, mdtrt_id=line["visit"], all_unsettled=True)
        part = {"cnt_x10000": line["quantity"] * 10_000 if "quantity" in line else None}
        named = {"feedetl_sn": f"L{line['take_back']}", "amount_fen": line.get("of_fen")}
        return FeeReversed(**common, mdtrt_id=line["visit"], **named, **part)
    if "dispense" in line:
        return FeeAdded(
            **common,
            mdtrt_id=line["visit"],
            feedetl_sn=f"L{number}",
            chrg_bchno=f"S{line['in_bill']}" if "in_bill" in line else None,
            fixmedins_code=line["institution"],
            med_list_codg=line["dispense"],
            cnt_x10000=line.get("quantity_x10000", line.get("quantity", 1) * 10_000),
            amount_fen=line.get("amount_fen", 1_000),
            pric_uplmt_fen=line.get("limit_fen"),
            prd_days=line.get("days"),
            rx_flag="signed" in line or None,
            rxno=line.get("signed", {}).get("prescription"),
            phar_code=line.get("signed", {}).get("pharmacist"),
            drug_trac_codg=_codes(line),
            trdn_flag=line.get("by_the_unit"),
            dr_code=line.get("ordered_by"),
            orders_dr_code=line.get("executed_by"),
        )
    return None


def _stock(number: int, line: Mapping[str, Any]) -> StockMoved:
    """What an institution tells of its shelf: it names no person."""
    common = {"event_id": f"E{number}", "occurred_at": line["at"], "fixmedins_code": line["institution"]}
    if "delete" in line:
        return StockMoved(**common, movement="deleted", fixmedins_bchno=line["delete"])
    return StockMoved(
        **common,
        pric_x1000000=line["price"] * 10_000 if "price" in line else None,
        fixmedins_bchno=line.get("batch"),
        movement=line["stock"],
        med_list_codg=line.get("item", "X1"),
        cnt_x10000=line.get("quantity", 1) * 10_000,
        drug_trac_codg=_codes(line),
        trdn_flag=line.get("by_the_unit"),
    )


def _query(number: int, line: Mapping[str, Any]) -> QueryLogged:
    """What the API logs of a credit query."""
    return QueryLogged(
        event_id=f"E{number}",
        occurred_at=line["at"],
        asked_by=line["asker"],
        person=person_of(line["person"]),
        purpose=line["asks"],
        outcome="denied" if line.get("denied") else "answered",
        names_authorization=line.get("authorization", False),
    )


def _peers(number: int, line: Mapping[str, Any]) -> PeersPublished:
    return PeersPublished(
        event_id=f"E{number}",
        occurred_at=line["at"],
        psn_no="",
        subject=line.get("of", "institution"),
        counters=tuple(line["peers"]),
        window_days=30,
        least=line.get("least", 30),
        members=line["members"],
        p50_x1000000=line["p50"] * 10**6,
        p90_x1000000=line["p90"] * 10**6,
    )


def _codes(line: Mapping[str, Any]) -> tuple[str, ...] | None:
    return (*(f"8{box:019d}" for box in line.get("boxes", ())), *line.get("codes", ())) or None


def _amounts(line: Mapping[str, Any]) -> dict[str, int | None]:
    """A bill that adds up, unless the line says each part: what the fund leaves is the person's, in cash."""
    bill_fen, fund_fen, hospital_fen = line["bill_fen"], line.get("fund_fen", 0), line.get("hospital_fen")
    person_fen = line.get("person_fen", bill_fen - fund_fen - (hospital_fen or 0))
    account_fen = line.get("account_fen", 0)
    return {
        "medfee_sumamt_fen": bill_fen,
        "fund_pay_sumamt_fen": fund_fen,
        "hosp_part_amt_fen": hospital_fen,
        "psn_part_amt_fen": person_fen,
        "acct_pay_fen": account_fen,
        "psn_cash_pay_fen": line.get("cash_fen", person_fen - account_fen),
    }
