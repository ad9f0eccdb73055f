"""Plays stories in one engine: all steps in the order of their instants, for each story a person. Not a test.

A story ends with its first step after which something is not as it must be; the others go on.
"""

import time
from contextlib import closing

from tests.e2e.stories.acting import Done, Person
from tests.e2e.stories.comparing import Seen, differences
from tests.e2e.stories.reading import Step, Story
from tests.e2e.stories.seeing import Bank, Body, Topics, credit_of, order_of
from tests.e2e.stories.stage import Stage

AWAY_WITHIN_S = 5.0  # a bank that is away answers nothing: what follows is seen when it is seen


def first_ms(stories: list[Story]) -> int:
    """When the first story begins."""
    return min(story.steps[0].at_ms for story in stories)


def play(stage: Stage, stories: list[Story]) -> dict[str, list[str]]:
    """By story: what was not as it must be, in plain words; nothing: it went as told."""
    failures: dict[str, list[str]] = {story.name: [] for story in stories}
    timeline = sorted(
        ((step.at_ms, story.name, step.number) for story in stories for step in story.steps),
    )
    with closing(Topics(stage)) as topics:
        watchers = {story.name: Watcher(story, stage, topics) for story in stories}
        for at_ms, name, number in timeline:
            if failures[name]:
                continue
            watcher = watchers[name]
            stage.excuse([each.person.psn_no for each in watchers.values() if each.person.away])
            stage.pass_until(at_ms)
            failures[name] = watcher.play(watcher.story.steps[number - 1], watchers)
    return failures


class Watcher:
    """One story while it is played."""

    def __init__(self, story: Story, stage: Stage, topics: Topics) -> None:
        self.story = story
        self.person = Person(story, stage)
        self._stage = stage
        self._topics = topics
        self._known = {"decisions": 0, "orders": 0, "alerts": 0, "events": 0, "bookings": 0, "calls": 0}

    def play(self, step: Step, watchers: dict[str, "Watcher"]) -> list[str]:
        """Do one step and compare; what is wrong, each line naming story, step and what was done."""
        self._stage.until_the_api_knows()
        try:
            done = self.person.does(step)
        except AssertionError as error:
            return [self._line(step, f"could not be done: {error}")]
        self._stage.excuse([each.person.psn_no for each in watchers.values() if each.person.away])
        self._stage.quiet.wait(self._stage.now_ms)
        until_s = time.monotonic() + (AWAY_WITHIN_S if self.person.away else 0)
        while wrong := differences(step, self.story.pool, self._seen(done)):
            if time.monotonic() >= until_s:
                break
            time.sleep(0.1)
        self._known = self._counts()
        return [self._line(step, each) for each in wrong]

    def _line(self, step: Step, what: str) -> str:
        at = step.at.strftime("%Y-%m-%d %H:%M")
        return f"{self.story.name}, step {step.number} ({at}, {step.who} {step.does}): {what}"

    def _seen(self, done: Done) -> Seen:
        self._topics.read(self.person.psn_no)
        told, bank = self._topics.of(self.person.psn_no), self._bank()
        known, psn_no = self._known, self.person.psn_no
        credit = credit_of(self._stage, psn_no)

        def leg_of(setl_id: str) -> Body:
            rows: list[Body] = credit["obligations"]
            for order in told["orders"]:
                if order["kind"] in ("debit", "draw") and any(item["setl_id"] == setl_id for item in order["items"]):
                    rows = [*rows, *order_of(self._stage, psn_no, order["order_id"])["settlements"]]
            for row in rows:
                if row["setl_id"] == setl_id:
                    return row
            return {"funding_state": "nothing is owed", "repayment_state": "nothing is owed"}

        return Seen(
            done,
            told["decisions"][known["decisions"] :],
            told["orders"][known["orders"] :],
            told["alerts"][known["alerts"] :],
            told["events"][known["events"] :],
            bank.bookings[known["bookings"] :],
            bank.calls(self._order_ids())[known["calls"] :],
            credit,
            leg_of,
            self.person.own,
        )

    def _counts(self) -> dict[str, int]:
        told, bank = self._topics.of(self.person.psn_no), self._bank()
        counts = {kind: len(said) for kind, said in told.items()}
        return counts | {"bookings": len(bank.bookings), "calls": len(bank.calls(self._order_ids()))}

    def _bank(self) -> Bank:
        return Bank(self._stage.book(), self.person.psn_no)

    def _order_ids(self) -> set[str]:
        return {order["order_id"] for order in self._topics.of(self.person.psn_no)["orders"]}
