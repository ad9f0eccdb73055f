"""The honest visit, as scripts: each yields its messages in the order of time, and lives only while the visit does."""

from collections.abc import Sequence

from streams.city.happenings import CHECKOUT, Bill, Happening, Line, Script, Visit, happening
from streams.city.world import DEPARTMENTS, Person, World, mix

DRUGS = tuple(f"XC0{family}A{item:04d}" for family in "279" for item in range(3_000))
SUPPLY_DAYS = {"11": (3, 7), "13": (1, 3), "14": (14, 30), "21": (1, 3)}
"""How many days a prescription lasts, by kind of visit: within 处方管理办法 Art. 19."""
MINUTE = 60_000
DAY = 86_400_000
HALF_DAY = DAY // 2
DRAWS = 12
"""Random numbers in [0, 1) that each script receives; which one decides what is written where it is used."""

Draws = Sequence[float]


def visit_of(world: World, person: Person, number: int, *, med_type: str, at_ms: int, draws: Draws) -> Visit:
    """Where this person goes: four half-days in five to the usual place, and nobody to two places in one half-day."""
    habit = mix(int(person.psn_no[4:]) * 4_001 + (at_ms + HALF_DAY // 6) // HALF_DAY)
    pharmacy = med_type == "41"
    places, home = (world.pharmacies, person.home_pharmacy) if pharmacy else (world.hospitals, person.home_hospital)
    place = home if habit % 5 < 4 else (habit >> 8) % places
    return Visit(
        mdtrt_id=f"{person.psn_no[4:7]}{number:015d}",
        psn_no=person.psn_no,
        fixmedins_code=world.pharmacy(place) if pharmacy else world.hospital(place),
        fixmedins_type="2" if pharmacy else "1",
        med_type=med_type,
        insutype=person.insutype,
        insuplc_admdvs=person.insuplc_admdvs,
        dr_code="" if pharmacy else world.doctor(place, int(draws[2] * world.doctors)),
        dept_code="" if pharmacy else DEPARTMENTS[int(draws[2] * len(DEPARTMENTS))],
        number=number,
        gend=person.gend,
        age=person.age,
    )


def bill_of(visit: Visit, ordinal: int, medfee_fen: int, fund_percent: int, *, credit: bool = False) -> Bill:
    """Split a sum: the fund's share, then the personal account of an employee, the rest in cash."""
    fund = medfee_fen * fund_percent // 100
    own = medfee_fen - fund
    account = own * 60 // 100 if visit.insutype == "310" else 0
    cash = own - account
    return Bill(f"{visit.mdtrt_id}{ordinal:02d}", medfee_fen, fund, account, cash, cash if credit else None)


def lines_of(visit: Visit, total_fen: int, first: int, draw: float) -> tuple[Line, ...]:
    """One to four fee lines that add up."""
    bits = mix(visit.number + first)
    count = 1 + int(draw * 4)
    part = total_fen // count
    least, most = SUPPLY_DAYS.get(visit.med_type, (1, 7))
    return tuple(
        Line(
            feedetl_sn=f"{visit.mdtrt_id}{first + n:04d}",
            med_list_codg=DRUGS[(bits + 7_919 * n) % len(DRUGS)],
            cnt_x10000=10_000 * (1 + (bits >> (6 * n)) % 3),
            amount_fen=part if n else total_fen - part * (count - 1),
            prd_days=least + (bits >> (4 * n)) % (most - least + 1),
            trace_codes=(f"8{visit.number * 100 + first + n:019d}",),
        )
        for n in range(count)
    )


def skewed_fen(draw: float, median_fen: int, highest_fen: int) -> int:
    """A sum with a long right tail: half below the median, never above the highest."""
    return min(highest_fen, max(100, int(median_fen * (0.25 + draw * draw * 0.5 / max(1e-6, 1.0 - draw) + draw))))


def checkout(at_ms: int, visit: Visit, bill: Bill) -> Happening:
    """The counter asks for an authorization of the cash part."""
    named = bill._replace(authorization_id=f"A{bill.setl_id}", credit_fen=None)
    return happening(visit, at_ms, CHECKOUT, bill=named)


def settled(visit: Visit, at_ms: int, codes: tuple[str, str], bill: Bill, *, ask: bool) -> Script:
    """An estimate, an authorization where one is asked for, and the settlement."""
    yield happening(visit, at_ms, codes[0], bill=bill)
    if ask:
        asked = checkout(at_ms + 5_000, visit, bill)
        yield asked
        assert asked.bill is not None
        bill = asked.bill
    yield happening(visit, at_ms + 30_000, codes[1], bill=bill)


def outpatient(visit: Visit, at_ms: int, draws: Draws, *, credit: bool, ask: bool) -> Script:
    """Registration, the doctor's record, fee lines, settlement; sometimes taken back and settled anew (2208, 2207)."""
    yield happening(visit, at_ms, "2201")
    if draws[3] < 0.01:
        yield happening(visit, at_ms + 6 * MINUTE, "2202")
        return
    at_ms += int((5 + 25 * draws[4]) * MINUTE)
    yield happening(visit, at_ms, "2203")
    median_fen, fund_percent = {"14": (28_000, 65), "13": (40_000, 50)}.get(visit.med_type, (15_000, 50))
    total = skewed_fen(draws[5], median_fen, 190_000)
    lines = lines_of(visit, total, 1, draws[6])
    at_ms += int((2 + 18 * draws[7]) * MINUTE)
    yield happening(visit, at_ms, "2204", lines=lines)
    at_ms += int((1 + 9 * draws[8]) * MINUTE)
    bill = bill_of(visit, 1, total, fund_percent, credit=credit)
    yield from settled(visit, at_ms, ("2206", "2207"), bill, ask=ask)
    if draws[9] < 0.02:
        at_ms += int((10 + 110 * draws[10]) * MINUTE)
        yield from settled_again(visit, at_ms, lines, bill, fund_percent=fund_percent)


def settled_again(visit: Visit, at_ms: int, lines: tuple[Line, ...], bill: Bill, *, fund_percent: int) -> Script:
    """China's ordinary partial refund: the settlement undone, a line taken back, and the rest settled."""
    yield happening(visit, at_ms, "2208", original_setl_id=bill.setl_id, bill=bill)
    rest = bill.medfee_fen
    if len(lines) > 1:
        yield happening(visit, at_ms + 60_000, "2205", lines=lines[-1:])
        rest -= lines[-1].amount_fen
    again = bill_of(visit, 2, rest, fund_percent, credit=bool(bill.credit_fen))
    yield from settled(visit, at_ms + 120_000, ("2206", "2207"), again, ask=False)


def purchase(visit: Visit, at_ms: int, draws: Draws, *, credit: bool, ask: bool) -> Script:
    """A pharmacy's bill (2101, 2102), sometimes undone (2103) and made anew."""
    total = skewed_fen(draws[5], 8_000, 90_000)
    bill = bill_of(visit, 1, total, 20, credit=credit)
    yield from settled(visit, at_ms, ("2101", "2102"), bill, ask=ask)
    if draws[9] < 0.01:
        at_ms += int((5 + 30 * draws[10]) * MINUTE)
        yield happening(visit, at_ms, "2103", original_setl_id=bill.setl_id, bill=bill)
        again = bill_of(visit, 2, total * 7 // 10, 20, credit=credit)
        yield happening(visit, at_ms + 90_000, "2102", bill=again)


def stay_days(draws: Draws) -> int:
    """How long an admission lasts."""
    return 2 + int(draws[4] * 9)


def admission(visit: Visit, at_ms: int, draws: Draws, *, credit: bool, ask: bool) -> Script:
    """Admission, a batch of fee lines each day, discharge and settlement: 2401, 2301 …, 2402, 2303, 2304."""
    yield happening(visit, at_ms, "2401")
    yield happening(visit, at_ms + 30 * MINUTE, "2403")
    days = stay_days(draws)
    total = skewed_fen(draws[5], 800_000, 6_000_000)
    batch = 1
    for day in range(days):
        share = total // days if day else total - total // days * (days - 1)
        lines = lines_of(visit, share, batch, draws[6 + day % 3])
        batch += len(lines)
        yield happening(visit, at_ms + day * DAY + 3 * 60 * MINUTE, "2301", lines=lines)
    leaves_ms = at_ms + days * DAY - 60 * MINUTE
    yield happening(visit, leaves_ms, "2402")
    bill = bill_of(visit, 1, total, 70, credit=credit)
    yield from settled(visit, leaves_ms + 20 * MINUTE, ("2303", "2304"), bill, ask=ask)


SCRIPTS = {"11": outpatient, "13": outpatient, "14": outpatient, "41": purchase, "21": admission}
