"""`xinmai simulate city --books`: starts an engine, lives the city in it, and prints the table of its books."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from rich.console import Console
from rich.table import Table

from risk.local_time import to_date
from streams.city.bank_side import BankSide
from streams.city.books import Books, BooksRun, encoded
from streams.city.plan import CityPlan
from streams.logging_setup import log_to_stderr
from streams.settings import load_settings
from streams.up import Up, running_engine

LOG_CLOCK = {"XINMAI_CLOCK": "log"}


def run_books(plan: CityPlan, *, differences: int, as_json: bool) -> int:
    """0: all books equal, and planted differences named exactly; 1: something else differs, and the report names it."""
    with own_engine() as up:
        books = live(plan, up, differences)
    if as_json:
        print(encoded(books))
    else:
        print_books(books)
    return 0 if books.equal else 1


@contextmanager
def own_engine() -> Iterator[Up]:
    """An engine under the log's clock, started for this and stopped afterwards."""
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    log_to_stderr()
    with running_engine(stopped, LOG_CLOCK) as (up, _):
        yield up


def live(plan: CityPlan, up: Up, differences: int = 0) -> Books:
    """The city in that engine."""
    settings = load_settings({**os.environ, **LOG_CLOCK})
    bank = BankSide(up.bank, plan.seed)
    run = BooksRun(settings, plan, bank)
    try:
        return run.run(differences)
    finally:
        run.close()
        bank.close()


def print_books(books: Books) -> None:
    """A line a day, the sums, and every difference."""
    console = Console()
    table = Table(title="每日对账 the books, day by day (fen; refunds are negative)")
    for name in ("date", "bookings", "bank says", "log says", "difference", "differing"):
        table.add_column(name, justify="left" if name == "date" else "right")
    bank_fen = our_fen = lines = differing = 0
    for day, report in sorted(books.days.items()):
        total = report.total
        if total.lines:
            figures = (total.lines, total.bank_fen, total.our_fen, total.difference_fen, total.differing)
            table.add_row(to_date(day).isoformat(), *(str(figure) for figure in figures))
        bank_fen, our_fen = bank_fen + total.bank_fen, our_fen + total.our_fen
        lines, differing = lines + total.lines, differing + total.differing
    table.add_section()
    sums = (lines, bank_fen, our_fen, bank_fen - our_fen, differing)
    table.add_row(f"{len(books.days)} days", *(str(figure) for figure in sums))
    console.print(table)
    console.print(json.dumps({**books.counts, **books.state}, indent=1))
    for day, report in sorted(books.days.items()):
        for line in report.differences:
            console.print(
                f"{to_date(day)} {line.finding.value} {line.order_id}:{line.attempt} {line.difference_fen:+d}"
            )
    if books.planted:
        console.print(f"planted {len(books.planted)} differences in the statements; the reports named:")
        for each in books.named:
            known = "as planted" if each in books.planted else "NOT PLANTED"
            console.print(f"  {each.finding} {each.order_id}:{each.attempt} {each.difference_fen:+d} fen, {known}")
        for each in sorted(set(books.planted) - set(books.named)):
            console.print(f"  NOT NAMED: {each.finding} {each.order_id}:{each.attempt} {each.difference_fen:+d} fen")
    for sentence in books.wrong:
        console.print(sentence, style="red")
    console.print("相符 equal" if books.equal else "不符 NOT EQUAL", style="green" if books.equal else "red")
