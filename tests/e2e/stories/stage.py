"""A whole engine under the log's clock, its bank on loopback, and the hour that it is. Not a test.

The clock stops wherever something is scheduled, so that a debit leaves at eight and not when somebody next comes.
"""

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

from connectors.codec import encode_fact
from risk.facts import Fact, InsuredStatusChanged
from risk.local_time import to_datetime
from streams.city.quiet import Quiet
from streams.city.traffic import IntoHttp
from streams.settings import load_settings
from streams.up import ROLES, Program, Up, running_engine


class Stage:
    """What a test may do to the engine, and how late it is."""

    def __init__(self, up: Up, programs: list[Program], now_ms: int) -> None:
        self.up = up
        self.worker = next(program for program in programs if program.name == "worker")
        self.settings = load_settings({**os.environ, "XINMAI_CLOCK": "log"})
        self.engine = IntoHttp(up.api, up.token)
        self.bank = httpx.Client(base_url=up.bank, timeout=30)
        self.quiet = Quiet(self.settings)
        self.now_ms = now_ms
        self._heard_ms = 0
        self._voices = {role: IntoHttp(up.api, up.tokens[role]) for role in ROLES}

    def close(self) -> None:
        self.quiet.close()
        self.bank.close()
        for voice in (self.engine, *self._voices.values()):
            voice.close()

    # --- time

    def hour(self, now_ms: int, *, until_quiet: bool = True) -> None:
        """It is that late now in every shard."""
        self.now_ms = now_ms
        self.manage("clock", {"now_ms": now_ms})
        occurred_at = to_datetime(now_ms)
        names = [(keeper, f"hour:{keeper}:{now_ms}") for keeper in self.quiet.keepers()]
        self.post(
            InsuredStatusChanged(event_id=name, occurred_at=occurred_at, psn_no=keeper, status="normal")
            for keeper, name in names
        )
        if until_quiet:
            self.quiet.wait(now_ms)

    def pass_until(self, now_ms: int) -> None:
        """Let the time go on, and everything scheduled happen when it is due."""
        while (due_ms := self.quiet.next_ms()) is not None and due_ms < now_ms:
            self.hour(max(due_ms, self.now_ms))
        if now_ms > self.now_ms:
            self.hour(now_ms)

    def until_the_api_knows(self) -> None:
        """Wait until the API process has heard how far every shard is, and so what hour it is there."""
        if self._heard_ms == self.now_ms:
            return
        ends = self.quiet.ends()

        def has_heard() -> bool:
            shards = self.engine.client.get("/readyz").json()["by_shard"]
            return all(shards[f"p{number}"]["offset"] >= end - 1 for number, end in enumerate(ends))

        self.until(has_heard)
        self._heard_ms = self.now_ms

    def until(self, condition: Callable[[], bool], wait_s: float = 30.0) -> float:
        """Seconds until it was so."""
        started_s = time.monotonic()
        while not condition():
            assert time.monotonic() - started_s < wait_s, self.worker.tail()
            time.sleep(0.02)
        return time.monotonic() - started_s

    # --- facts and calls

    def post(self, facts: Iterable[Fact], role: str = "") -> None:
        """Post facts over HTTP, with this role's own token; all must be taken."""
        lines = [encode_fact(fact) for fact in facts]
        voice = self.voice(role)
        results = voice.post("canonical", lines)
        assert results == {"accepted": len(lines)}, (results, voice.reasons)

    def voice(self, role: str = "") -> IntoHttp:
        """The HTTP client of a role; none: the operator's, who sees everything."""
        return self._voices[role] if role else self.engine

    # --- the bank

    def manage(self, call: str, said: object) -> None:
        """One of the bank simulator's calls for the stage manager."""
        self.bank.post(f"/simulator/{call}", json=said).raise_for_status()

    def book(self) -> dict[str, Any]:
        """The bank's own book."""
        told: dict[str, Any] = self.bank.get("/simulator/book").json()
        return told

    def excuse(self, people: Collection[str]) -> None:
        """Do not wait for these people's orders: their bank is away."""
        self.quiet.excused = set(people)


@contextmanager
def a_stage(home: Path, now_ms: int, told: Mapping[str, str]) -> Iterator[Stage]:
    """An engine of its own in `home`; `told` is its environment beside the log's clock."""
    told = {"XINMAI_CLOCK": "log", **told}
    before = dict(os.environ)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        for name in [name for name in os.environ if name.startswith("XINMAI_")]:
            patch.delenv(name)
        os.environ.update(told)
        try:
            with running_engine(Event(), told) as (up, programs), closing(Stage(up, programs, now_ms)) as made:
                made.hour(now_ms)
                yield made
        finally:
            os.environ.clear()
            os.environ.update(before)
