"""A city that pays on credit, under the log's clock, with banks that fail by lot: do the books balance, day for day?

The engine is the real one, over HTTP and Kafka. What the bank moved is read from its own statements and book.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import orjson

from connectors.bank_notice import notify
from connectors.codec import encode_fact
from risk.facts import Fact, InsuredStatusChanged, SettlementReinstated, SettlementReversed, TopupReceived
from risk.local_time import DAY_MS, HOUR_MS, MINUTE_MS, day_start_ms, local_day, to_datetime
from risk.reconciliation import Report
from streams.city.bank_side import BankSide
from streams.city.books_of_state import state_against_bank
from streams.city.happenings import Happening
from streams.city.plan import CityPlan
from streams.city.planted_differences import Named, named, planted
from streams.city.quiet import Quiet
from streams.city.stream import Deliveries
from streams.city.traffic import IntoHttp, Traffic
from streams.city.world import BANKS
from streams.reconcile import Attempts, fetched, read_attempts, reconciled, report_body

if TYPE_CHECKING:
    from streams.settings import Settings

STOPS_MS = (8 * HOUR_MS + MINUTE_MS, 14 * HOUR_MS + 5 * MINUTE_MS, DAY_MS - 1_000)
"""Debits leave at 8; what was refused then is tried again six hours later; at the day's end banks draw the line."""
DAYS_AFTER = 8
"""The retry ladder ends seven days after the first attempt."""
OUTAGE_DAY = 2
"""On this day of the city, counted from 0, one bank is down from 8 o'clock to the next stop."""
OUTAGE_S = 1.0
UNDONE_DAYS = 8
"""A settlement may be undone so many days later: when it was debited, drawn, or repaid already."""
HEARD_S = 1.0
"""Until then the API has heard what hour it is in each shard; before that it would take the wall's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What came of it: a report a day, and what state and bank say at the end."""

    days: Mapping[int, Report]
    counts: Mapping[str, int]
    state: Mapping[str, int] = field(default_factory=dict)
    wrong: tuple[str, ...] = ()
    planted: tuple[Named, ...] = ()
    named: tuple[Named, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether nothing differs but what was planted, and that is named exactly."""
        honest = not any(report.differences for report in self.days.values())
        return honest and not self.wrong and sorted(self.planted) == list(self.named)


class BooksRun:
    """One city, day by day."""

    def __init__(self, settings: "Settings", plan: CityPlan, bank: BankSide) -> None:
        self._settings, self._plan, self._bank = settings, plan, bank
        self._engine = IntoHttp(settings.api, settings.token)
        self._quiet = Quiet(settings)
        self._keepers = self._quiet.keepers()
        self._traffic = Traffic(plan, self._engine, form="canonical", speed=0)
        self._counts: Counter[str] = Counter()
        self.last_day = plan.first_day

    def close(self) -> None:
        """Hang up."""
        self._quiet.close()
        self._engine.close()

    def run(self, differences: int = 0) -> Books:
        """Live through all days, then compare; and once more with so many differences planted in the statements."""
        self._bank.manage("lot", {"seed": self._plan.seed})
        stops = self._stops()
        due_ms = next(stops)
        self._bank.manage("clock", {"now_ms": self._plan.start_ms - DAY_MS})
        self._hour(self._plan.start_ms - DAY_MS)
        self._quiet.wait(self._plan.start_ms - DAY_MS)
        time.sleep(HEARD_S)
        for arrival_ms, happening in Deliveries(self._plan):
            while due_ms <= arrival_ms:
                self._stop(due_ms)
                due_ms = next(stops)
            self._traffic.deliver(happening)
        end_ms = due_ms + DAYS_AFTER * DAY_MS
        while due_ms <= end_ms:
            self._stop(due_ms)
            due_ms = next(stops)
        return self._compared(differences)

    def _stops(self) -> Iterator[int]:
        day = self._plan.first_day
        while True:
            self.last_day = day
            yield from (day_start_ms(day) + stop_ms for stop_ms in STOPS_MS)
            day += 1

    def _stop(self, now_ms: int) -> None:
        """It is this late now, for everybody: what is due happens, and the banks answer."""
        self._traffic.flush()
        self._bank.manage("clock", {"now_ms": now_ms})
        outage_ms = day_start_ms(self._plan.first_day + OUTAGE_DAY) + STOPS_MS[0]
        if now_ms == outage_ms:
            self._bank.manage("scripts", {"behaviour": "down", "bank_code": BANKS[0]})
        else:
            self._bank.manage("scripts", {})
        self._hour(now_ms)
        ends_day = now_ms + 1_000 == day_start_ms(local_day(now_ms) + 1)
        if not ends_day and now_ms - day_start_ms(local_day(now_ms)) == STOPS_MS[1]:
            notices, facts = self._bank.notices(now_ms), list(self._second_thoughts(now_ms))
            self._counts.update(fact.event_type for _, fact in notices)
            self._counts.update(fact.event_type for fact in facts)
            self._told_by_banks(notices)
            self._post(facts)
        if now_ms == outage_ms:
            time.sleep(OUTAGE_S)  # who has an order at that bank waits
        else:
            self._quiet.wait(now_ms)
        if ends_day:
            self._bank.manage("clock", {"now_ms": now_ms + 1_001})

    def _hour(self, now_ms: int) -> None:
        self._post(
            InsuredStatusChanged(
                event_id=f"hour:{keeper}:{now_ms}", occurred_at=to_datetime(now_ms), psn_no=keeper, status="normal"
            )
            for keeper in self._keepers
        )

    def _post(self, facts: Iterable[Fact]) -> None:
        lines = [encode_fact(fact) for fact in facts]
        if lines:
            self._traffic.counts += self._engine.post("canonical", lines)

    def _told_by_banks(self, notices: Iterable[tuple[str, Fact]]) -> None:
        """Each bank signs its own."""
        lines: dict[str, list[bytes]] = {}
        for bank_code, fact in notices:
            lines.setdefault(bank_code, []).append(encode_fact(fact))
        for bank_code, told in lines.items():
            answer = notify(self._engine.client, bank_code, self._settings.bank_secret, told).raise_for_status()
            self._traffic.counts += Counter(f"notice {result['result']}" for result in answer.json()["results"])

    def _second_thoughts(self, now_ms: int) -> Iterator[Fact]:
        """Settlements of days ago that are undone, reinstated, or paid at the counter after all."""
        today = local_day(now_ms)
        for paid in self._traffic.on_credit:
            assert paid.bill is not None
            age, lot = today - local_day(paid.at_ms), _lot(self._plan.seed, paid.bill.setl_id)
            if age == 1 + lot % UNDONE_DAYS and lot < 120:
                yield _undone(paid, now_ms)
            elif age == 2 + lot % UNDONE_DAYS and lot < 50:
                yield _reinstated(paid, now_ms)
            elif age == 3 and 120 <= lot < 180:
                yield _topped_up(paid, now_ms)

    # --- the end ------------------------------------------------------------------------------------------------------

    def _compared(self, differences: int) -> Books:
        attempts = read_attempts(self._settings, self.last_day)
        state, wrong = state_against_bank(self._quiet.store, self._quiet.partitions, self._bank, self.last_day)
        counts = {
            **{f"events {name}": count for name, count in self._traffic.counts.items()},
            **{f"checkout {name}": count for name, count in self._traffic.decisions.items()},
            **self._counts,
            **Counter(f"{each.kind} {each.result or 'unanswered'}" for each in attempts.values()),
        }
        days = self._reports(attempts)
        pairs = list(planted(self._bank.bookings(), differences))
        if pairs:
            self._bank.manage("plants", [asdict(plant) for plant, _ in pairs])
        return Books(
            days=days,
            counts=counts,
            state=state,
            wrong=tuple(wrong),
            planted=tuple(name for _, name in pairs),
            named=tuple(named(self._reports(attempts))) if pairs else (),
        )

    def _reports(self, attempts: Attempts) -> dict[int, Report]:
        """Each day's report, by the banks' statements as they are now."""
        days = range(self._plan.first_day - 1, self.last_day + 1)
        return {
            day: reconciled(day, asyncio.run(fetched(self._settings, BANKS, day)), attempts, bank=None) for day in days
        }


def _lot(seed: int, name: str) -> int:
    return int.from_bytes(blake2b(f"{seed}:{name}".encode(), digest_size=4).digest()) % 1000


def _undone(paid: Happening, now_ms: int) -> Fact:
    assert paid.bill is not None
    return SettlementReversed(
        event_id=f"2208:late:{paid.bill.setl_id}:0",
        occurred_at=to_datetime(now_ms),
        psn_no=paid.visit.psn_no,
        setl_id=paid.bill.setl_id,
        reversal_setl_id=f"{paid.bill.setl_id}L",
    )


def _reinstated(paid: Happening, now_ms: int) -> Fact:
    assert paid.bill is not None
    return SettlementReinstated(
        event_id=f"2601:late:{paid.bill.setl_id}:0",
        occurred_at=to_datetime(now_ms),
        psn_no=paid.visit.psn_no,
        setl_id=paid.bill.setl_id,
    )


def _topped_up(paid: Happening, now_ms: int) -> Fact:
    assert paid.bill is not None
    return TopupReceived(
        event_id=f"counter:{paid.bill.setl_id}",
        occurred_at=to_datetime(now_ms),
        psn_no=paid.visit.psn_no,
        mdtrt_id=paid.visit.mdtrt_id,
        amount_fen=max(1, paid.bill.cash_fen // 2),
        channel="counter",
        ref=f"R{paid.bill.setl_id}",
        fixmedins_code=paid.visit.fixmedins_code,
        setl_id=paid.bill.setl_id,
    )


def books_body(books: Books) -> dict[str, Any]:
    """The outcome as one JSON object."""
    return {
        "equal": books.equal,
        "days": [report_body(day, report) for day, report in sorted(books.days.items())],
        "counts": dict(sorted(books.counts.items())),
        "state": dict(books.state),
        "wrong": list(books.wrong),
        "planted": [each._asdict() for each in books.planted],
        "named": [each._asdict() for each in books.named],
    }


def encoded(books: Books) -> str:
    """The same as text."""
    return orjson.dumps(books_body(books)).decode()
