"""`xinmai orders reconcile`: the bank's statement of a day beside the log's orders and answers. It moves nothing.

Read are the topics alone, never Redis: the bank's word is compared with the log's, not with what was derived from it.
"""

import asyncio
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import orjson
from rich.console import Console
from rich.table import Table

from connectors.bank_statement import parse_statement
from connectors.codec import decode_fact
from connectors.kafka import cluster_identity, is_mock
from connectors.log_reader import log_end, offset_at, read_log
from risk.facts import BankOrderResult
from risk.local_time import DAY_MS, MINUTE_MS, day_of, day_start_ms, local_day, to_date, to_ms
from risk.reconciliation import Attempt, Booking, Finding, Key, Report, Told, Total, attempt_of, compare
from risk.senders import BANK, speaks_for
from streams.banks import bank_gateway
from streams.stop import Stop

if TYPE_CHECKING:
    from streams.settings import Settings

ORDERS_REACH_MS = 40 * DAY_MS  # an attempt whose answer is unknown is asked after that long
ANSWERS_REACH_MS = 10 * MINUTE_MS  # the bank's clock and Kafka's differ by less
Attempts = dict[Key, Attempt]


def run_reconcile(settings: "Settings", *, day: str, bank: str | None, statement: Path | None, as_json: bool) -> int:
    """The command: 0 equal, 1 differences, 2 could not run."""
    try:
        on = day_of(date.fromisoformat(day))
    except ValueError as error:
        raise Stop(f"日期无效：{day}", f"--date is {day!r}, expected 2026-04-01") from error
    attempts = read_attempts(settings, on)
    if statement is not None:
        with _opened(statement) as stream:
            bookings = parse_statement(stream.read(), bank_code=bank or "", day=on)
    else:
        banks = [bank] if bank else sorted({each.bank_code for each in attempts.values()})
        bookings = asyncio.run(fetched(settings, banks, on))
    report = reconciled(on, bookings, attempts, bank=bank)
    if as_json:
        print(orjson.dumps(report_body(on, report)).decode())
    else:
        print_report(on, report)
    return 1 if report.differences else 0


def _opened(statement: Path) -> TextIO:
    if statement == Path("-"):
        return TextIOWrapper(sys.stdin.buffer, encoding="utf-8")
    return statement.open(encoding="utf-8")


def reconciled(day: int, bookings: Iterable[Booking], attempts: Attempts, *, bank: str | None) -> Report:
    """The report of one bank's day, or of all banks'."""
    if bank:
        attempts = {key: each for key, each in attempts.items() if each.bank_code == bank}
    return compare(day, bookings, attempts)


async def fetched(settings: "Settings", banks: Iterable[str], day: int) -> list[Booking]:
    """The statements of these banks, as they tell them now."""
    gateway = bank_gateway(settings)
    try:
        return [booking for code in banks for booking in await gateway.statement(code, day)]
    finally:
        await gateway.close()


# --- what the log says -----------------------------------------------------------------------------------------------


def read_attempts(settings: "Settings", day: int) -> Attempts:
    """Every attempt that may stand in the statement of `day`, with what was told of it."""
    begins_ms = day_start_ms(day)
    orders: dict[Key, dict[str, Any]] = {}
    for value in _values(settings, settings.topics.withholding, begins_ms - ORDERS_REACH_MS):
        body = orjson.loads(value)
        orders.setdefault((body["order_id"], body["attempt"]), body)
    by_order = {order_id: body for (order_id, _), body in orders.items()}
    told: dict[Key, list[Told]] = defaultdict(list)
    for value in _values(settings, settings.topics.events, begins_ms - ANSWERS_REACH_MS, b'"bank.order_result"'):
        fact = decode_fact(value)
        if not isinstance(fact, BankOrderResult):
            continue
        order = by_order.get(fact.order_id)
        if order is None or not speaks_for(fact.source, BANK, order["bank_code"]):
            continue  # the fold does not take it either
        orders.setdefault((fact.order_id, fact.attempt), order)
        booked_day = local_day(to_ms(fact.booked_at or fact.occurred_at))
        told[fact.order_id, fact.attempt].append(Told(fact.result, fact.amount_fen, booked_day, fact.bank_ref or ""))
    return {
        key: attempt_of(
            key,
            kind=body["kind"],
            bank_code=body["bank_code"],
            institution=body["payee_fixmedins_code"],
            ordered_fen=body["amount_fen"],
            day=local_day(to_ms(datetime.fromisoformat(body["not_before"]))),
            told=told[key],
        )
        for key, body in orders.items()
    }


def _values(settings: "Settings", topic: str, since_ms: int, holding: bytes = b"") -> Iterator[bytes]:
    """The records of a topic that may matter, by partition. Under the log's clock Kafka's time says nothing: all."""
    cluster_id, found = cluster_identity(settings.kafka, (topic,))
    if topic not in found:
        raise Stop(f"缺少主题 {topic}", f"there is no topic {topic}: nothing to compare with")
    whole = settings.clock == "log" or is_mock(cluster_id)
    for partition in range(found[topic][1]):
        low, high = log_end(settings.kafka, topic, partition)
        start = 0 if whole else offset_at(settings.kafka, topic, partition, since_ms)
        if start < low:
            raise Stop(
                f"{topic}[{partition}] 缺少 {low} 之前的记录，无法对账",
                f"{topic}[{partition}] begins at {low}: what came before was dropped, so nothing can be compared",
            )
        for batch in read_log(settings.kafka, topic, partition, (start, high)):
            for _, _, value in batch:
                if holding in value:
                    yield value


# --- how it is said --------------------------------------------------------------------------------------------------


def report_body(day: int, report: Report) -> dict[str, Any]:
    """The report as one JSON object."""
    return {
        "date": to_date(day).isoformat(),
        "equal": not report.differences,
        "total": _sum(report.total),
        "found": {finding.value: _sum(total) for finding, total in report.found().items()},
        "totals": [
            {"bank_code": bank, "institution": institution, **_sum(total)}
            for (bank, institution), total in report.totals().items()
        ],
        "differences": [
            {**line._asdict(), "finding": line.finding.value, "difference_fen": line.difference_fen}
            for line in report.differences
        ],
    }


def _sum(total: Total) -> dict[str, int]:
    return {**total._asdict(), "difference_fen": total.difference_fen}


def print_report(day: int, report: Report) -> None:
    """The report as tables: per bank and institution, then each difference."""
    console = Console()
    sums = Table(title=f"对账 reconciliation {to_date(day)} (fen; refunds are negative)")
    for name in ("bank", "institution", "lines", "bank says", "log says", "difference"):
        sums.add_column(name, justify="left" if name in ("bank", "institution") else "right")
    for (bank, institution), total in report.totals().items():
        sums.add_row(bank, institution, *_figures(total))
    sums.add_section()
    sums.add_row("all", "", *_figures(report.total))
    console.print(sums)
    if not report.differences:
        console.print("相符 equal: no difference")
        return
    table = Table(title=f"差异 differences: {len(report.differences)}")
    for name in ("finding", "order", "attempt", "kind", "bank", "institution", "bank says", "log says", "note"):
        table.add_column(name, overflow="fold")
    for line in report.differences:
        table.add_row(
            *(line.finding.value, line.order_id, str(line.attempt), line.kind, line.bank_code, line.institution),
            *(str(line.bank_fen), str(line.our_fen), line.note),
        )
    console.print(table)
    counted = {finding: total for finding, total in report.found().items() if total.lines}
    for finding, total in counted.items():
        if finding is not Finding.MATCHED:
            console.print(f"{finding.value}: {total.lines} lines, {total.difference_fen:+d} fen")


def _figures(total: Total) -> list[str]:
    return [str(total.lines), str(total.bank_fen), str(total.our_fen), f"{total.difference_fen:+d}"]
