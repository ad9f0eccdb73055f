"""The bank's other calls over real HTTP: lines, statements, signatures, failures by lot; and statements as files."""

import asyncio
import time
from collections import Counter
from dataclasses import replace

import httpx
import pytest

from connectors.bank import BankAccess, BankGateway, BankOrder
from connectors.bank_book import Misfortune, Plant
from connectors.bank_signature import SKEW_MS, SignatureGuard, signed_headers
from connectors.bank_simulator import SIMULATOR_SECRET, BankSimulator
from connectors.bank_statement import parse_statement
from connectors.errors import ConnectorError
from risk.local_time import day_of, day_start_ms, local_day, rfc3339, to_date
from risk.reconciliation import Booking

ORDER = BankOrder(
    order_id="or_1",
    kind="debit",
    attempt=1,
    agreement_no="AG1",
    bank_code="ICBC",
    payee_fixmedins_code="H1",
    amount_fen=12_345,
)
DAY = 20_600
NOON_MS = day_start_ms(DAY) + 12 * 3_600_000


@pytest.fixture
def bank():
    with BankSimulator() as simulator:
        simulator.set_clock(NOON_MS)
        yield simulator


def talk(bank, play):
    async def run():
        gateway = BankGateway({}, other_banks=BankAccess(url=bank.url, secret=SIMULATOR_SECRET))
        try:
            return await play(gateway)
        finally:
            await gateway.close()

    return asyncio.run(run())


def submitted(bank, *orders):
    async def play(gateway):
        return [await gateway.submit(order) for order in orders]

    return talk(bank, play)


def statement(bank, bank_code="ICBC", day=DAY):
    return talk(bank, lambda gateway: gateway.statement(bank_code, day))


def test_a_statement_holds_what_was_booked_that_day_at_that_bank_and_nothing_else(bank):
    other_bank = replace(ORDER, order_id="or_2", bank_code="BCM")
    refund = replace(ORDER, order_id="or_3", kind="refund", original_order_id="or_1", amount_fen=45)
    cancel = replace(ORDER, order_id="or_4", kind="cancel", original_order_id="or_9")
    submitted(bank, ORDER, ORDER, other_bank, refund, cancel)
    bank.set_clock(NOON_MS + 86_400_000)
    submitted(bank, replace(ORDER, attempt=2, order_id="or_5"))
    booked_at = rfc3339(NOON_MS)
    assert statement(bank) == [
        Booking("or_1", 1, "debit", 12_345, "sim-or_1-1", booked_at, "ICBC", "H1"),
        Booking("or_3", 1, "refund", 45, "sim-or_3-1", booked_at, "ICBC", "H1"),
    ]
    assert [booking.order_id for booking in statement(bank, day=DAY + 1)] == ["or_5"]
    assert [booking.order_id for booking in statement(bank, "BCM")] == ["or_2"]
    assert statement(bank, "ABC") == []


def test_the_answer_says_when_the_bank_booked_it(bank):
    (answer,) = submitted(bank, ORDER)
    assert rfc3339(int(answer.booked_at.timestamp() * 1000)) == rfc3339(NOON_MS)


def test_planted_differences_change_the_statement_and_not_the_books(bank):
    submitted(bank, *(replace(ORDER, order_id=f"or_{number}") for number in (1, 2, 3, 4)))
    bank.plant(
        Plant(kind="omit", order_id="or_1"),
        Plant(kind="twice", order_id="or_2"),
        Plant(kind="amount", order_id="or_3", amount_fen=1),
        Plant(kind="invent", order_id="or_7", amount_fen=9, bank_code="ICBC", booked_at=rfc3339(NOON_MS)),
    )
    told = Counter((booking.order_id, booking.amount_fen) for booking in statement(bank))
    assert told == {("or_2", 12_345): 2, ("or_3", 1): 1, ("or_4", 12_345): 1, ("or_7", 9): 1}
    assert bank.book.moved_fen("or_1") == bank.book.moved_fen("or_3") == 12_345
    bank.plant()
    assert [booking.order_id for booking in statement(bank)] == ["or_1", "or_2", "or_3", "or_4"]


def test_more_than_was_moved_is_not_refunded(bank):
    refund = replace(ORDER, order_id="or_2", kind="refund", original_order_id="or_1", amount_fen=12_000)
    again = replace(refund, order_id="or_3", amount_fen=346)
    answers = submitted(bank, ORDER, refund, again)
    assert [(answer.result, answer.code) for answer in answers[1:]] == [
        ("settled", None),
        ("rejected", "NOTHING_TO_REFUND"),
    ]


def test_a_cancelled_order_stays_cancelled_though_it_was_accepted_or_comes_later(bank):
    bank.script("accept", times=1)

    async def play(gateway):
        accepted = await gateway.submit(ORDER)
        cancel = replace(ORDER, order_id="or_c", kind="cancel", original_order_id="or_1")
        return accepted, await gateway.submit(cancel), await gateway.query(ORDER)

    assert [answer.result for answer in talk(bank, play)] == ["accepted", "cancelled", "cancelled"]
    cancel = replace(ORDER, order_id="or_d", kind="cancel", original_order_id="or_2")
    late = submitted(bank, cancel, replace(ORDER, order_id="or_2"))
    assert [answer.result for answer in late] == ["cancelled", "cancelled"]
    assert statement(bank) == []


def test_an_older_word_than_the_books_is_put_right_by_the_query(bank):
    bank.script("out_of_order", times=1)

    async def play(gateway):
        return await gateway.submit(ORDER), await gateway.query(ORDER)

    assert [answer.result for answer in talk(bank, play)] == ["accepted", "settled"]


def test_the_line_of_an_agreement_is_told_on_request(bank):
    bank.lines_fen["AG1"] = 300_000
    line = talk(bank, lambda gateway: gateway.line("ICBC", "AG1"))
    assert (line.agreement_no, line.bank_line_fen) == ("AG1", 300_000)
    with pytest.raises(ConnectorError, match="404 AGREEMENT_UNKNOWN"):
        talk(bank, lambda gateway: gateway.line("ICBC", "AG2"))


def test_the_lot_draws_the_same_for_the_same_seed_and_every_failure_in_the_end(bank):
    orders = [{"order_id": f"or_{n}", "attempt": 1, "kind": "debit", "amount_fen": 100} for n in range(2_000)]
    drawn = [Misfortune(seed=3).script(order, 1) for order in orders]
    assert drawn == [Misfortune(seed=3).script(order, 1) for order in orders]
    seen = {script.behaviour for script in drawn}
    assert seen >= {"settle", "decline", "partial", "timeout_after_success", "timeout_before", "out_of_order", "down"}
    refunds = {Misfortune(seed=3).script(order | {"kind": "refund"}, 1).behaviour for order in orders}
    assert not refunds & {"decline", "partial"}


# --- signatures ------------------------------------------------------------------------------------------------------


def heard(bank, **over):
    words = {"secret": SIMULATOR_SECRET, "path": "/v1/agreements/AG1/line", "now_ms": time.time_ns() // 1_000_000}
    words |= over
    signed = signed_headers(words["secret"], "GET", words["path"], now_ms=words["now_ms"], body=b"", client_id="xinmai")
    return httpx.get(f"{bank.url}/v1/agreements/AG1/line", headers=signed), signed


def test_a_call_is_heard_once_within_its_minutes_and_only_with_the_banks_key(bank):
    bank.lines_fen["AG1"] = 1
    answer, signed = heard(bank)
    assert answer.status_code == 200
    again = httpx.get(f"{bank.url}/v1/agreements/AG1/line", headers=signed)
    assert (again.status_code, again.json()["code"]) == (401, "REPLAYED")
    assert heard(bank, secret="guessed")[0].json()["code"] == "BAD_SIGNATURE"
    assert heard(bank, path="/v1/agreements/AG2/line")[0].json()["code"] == "BAD_SIGNATURE"
    old_ms = time.time_ns() // 1_000_000 - SKEW_MS - 60_000
    assert heard(bank, now_ms=old_ms)[0].json()["code"] == "STALE_SIGNATURE"
    assert httpx.get(f"{bank.url}/v1/statements/ICBC/2026-01-01").status_code == 401


def test_a_guard_without_a_key_hears_nobody():
    signed = signed_headers("", "GET", "/", now_ms=5, body=b"", client_id="x")
    named = {name.lower(): value for name, value in signed.items()}
    assert SignatureGuard().refuses("", "GET", "/", headers=named, body=b"", now_ms=5) == "BAD_SIGNATURE"


# --- statements as files ---------------------------------------------------------------------------------------------

CSV = """order_id,attempt,kind,amount_fen,bank_ref,booked_at
or_1,1,debit,500,R1,2026-05-27T09:00:00+08:00
or_2,2,refund,20,R2,2026-05-27T10:00:00+08:00
"""


def test_a_csv_statement_reads_as_the_ndjson_one():
    ndjson = (
        '{"order_id":"or_1","attempt":1,"kind":"debit","amount_fen":500,"bank_ref":"R1",'
        '"booked_at":"2026-05-27T09:00:00+08:00"}\n'
        '{"order_id":"or_2","attempt":2,"kind":"refund","amount_fen":20,"bank_ref":"R2",'
        '"booked_at":"2026-05-27T10:00:00+08:00"}\n'
    )
    told = parse_statement(CSV, bank_code="BCM")
    assert told == parse_statement(ndjson, bank_code="BCM")
    assert parse_statement("\ufeff" + CSV, bank_code="BCM") == told
    assert parse_statement(ndjson + '{"rows": 2, "total_fen": 520}', bank_code="BCM") == told
    assert parse_statement("") == parse_statement('{"rows": 0, "total_fen": 0}') == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"rows": 1, "total_fen": 5}', "it was cut"),
        (CSV.replace("500", "5.00"), "whole number"),
        (CSV.replace("500", "-1"), "whole number"),
        (CSV.replace("debit", "gift"), "kind is 'gift'"),
        (CSV.replace("R1,", "R1"), "columns"),
        (CSV.replace("R1", ""), "bank_ref missing"),
        (CSV.replace("+08:00", ""), "without offset"),
        (CSV.replace("05-27T09", "05-28T09"), "another day"),
        (CSV.replace("2026-05-27T09:00:00+08:00", "yesterday"), "RFC 3339"),
        ('{"order_id":', "no JSON"),
    ],
)
def test_a_statement_that_cannot_be_read_is_refused_with_its_line(text: str, why: str):
    from datetime import date

    with pytest.raises(ConnectorError, match=why):
        parse_statement(text, bank_code="BCM", day=day_of(date(2026, 5, 27)))


def test_the_simulators_day_is_the_walls_until_it_is_set():
    with BankSimulator() as wall:
        submitted(wall, ORDER)
        today = local_day(wall.now_ms)
        assert [booking.order_id for booking in statement(wall, day=today)] == ["or_1"], to_date(today)
