"""H06: a line waits beside its hospital's shelves until no purchase can be late, and is judged once, however cut."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from connectors.state_codec import Contributed, encode_contributed, unpack_activity, unpack_billed
from risk.billed import LINES, LINES_OF_AN_ITEM
from risk.boxes import LINES_OF_A_PERSON
from risk.facts import Fact, FeeAdded, FeeReversed, StockMoved
from risk.local_time import SHANGHAI
from risk.policy import PolicyError
from tests.oracle.production import Engine
from tests.oracle.rules_oracle import Parameters
from tests.risk.test_rule_cases import shaoyang_files

NOON = datetime(2026, 3, 1, 12, tzinfo=SHANGHAI)
HOSPITAL, PERSON = "H43050200001", "p1_somebody"
FILES = shaoyang_files()
WINDOW, LATE, SILENT, LEAST_FEN = 30, 3, 7, 10_001
BRINGING = ("purchased", "changed_in", "counted")


def stock(number: int, kind: str, day: int, item: str = "X0", **more: Any) -> StockMoved:
    fields = {"cnt_x10000": 10_000, "fixmedins_code": HOSPITAL} | more
    return StockMoved(
        event_id=f"M{number}", occurred_at=NOON + timedelta(days=day), movement=kind, med_list_codg=item, **fields
    )


def line(number: int, day: int, item: str = "X1", **more: Any) -> FeeAdded:
    fields = {"psn_no": PERSON, "fixmedins_code": HOSPITAL, "cnt_x10000": 10_000, "amount_fen": 20_000} | more
    named = {"mdtrt_id": f"V{number // 2}", "feedetl_sn": f"L{number}", "med_list_codg": item}
    return FeeAdded(event_id=f"F{number}", occurred_at=NOON + timedelta(days=day), **named, **fields)


def day_of(fact: Fact) -> int:
    return (fact.occurred_at - NOON).days


def back(number: int, day: int, of: FeeAdded) -> FeeReversed:
    named = {"mdtrt_id": of.mdtrt_id, "feedetl_sn": of.feedetl_sn, "psn_no": of.psn_no}
    return FeeReversed(event_id=f"R{number}", occurred_at=NOON + timedelta(days=day), **named)


def told_by(facts: Iterable[Fact], cuts: Iterable[int] = (), files: dict[str, str] = FILES) -> Engine:
    engine = Engine(Parameters(), files=files)
    engine.fold(list(facts), cuts)
    return engine


def alerts_of(engine: Engine) -> list[dict[str, Any]]:
    alerts = [output.body for output in engine.outputs if output.topic == "alerts"]
    return [body for body in alerts if body["rule_id"] == "H06"]


MONTH = [stock(n, "purchased", 5 * n) for n in range(7)]


def test_an_alert_names_the_item_its_lines_and_what_showed_it_and_no_person() -> None:
    engine = told_by([*MONTH, line(1, 30), line(2, 30), stock(8, "sold", 33)])
    (alert,) = alerts_of(engine)
    assert (alert["subject_id"], alert["med_list_codg"], alert["window_s"]) == (HOSPITAL, "X1", WINDOW * 86_400)
    assert (alert["vola_evid"], alert["observed"], alert["allowed"]) == (["F1", "F2", "M8"], 20_000, LEAST_FEN - 1)
    assert PERSON not in str(alert)
    (told, _) = [each for each in engine.contributed if each.subject_kind == "g"]
    assert PERSON.encode() not in encode_contributed(Contributed(0, 1, (told,)))


@pytest.mark.parametrize(
    "more",
    [{"amount_fen": LEAST_FEN - 1}, {"item": "0011"}, {"fixmedins_code": "P43050200001"}],
)
def test_nothing_is_told_of_a_line_that_the_rule_does_not_look_at(more: dict[str, Any]) -> None:
    fact = line(1, 30, **more)
    engine = told_by([*MONTH, fact])
    assert not [each for each in engine.contributed if each.subject_kind == "g"]


def test_who_has_more_has_said_enough() -> None:
    many = [line(n, 30, f"X{n % 200:03d}", psn_no=f"p{n % 20}") for n in range(1_000)]
    engine = told_by([*MONTH, *many])
    (kept,) = [unpack_billed(value) for (_, name), value in engine.stored()[0].items() if name == "billed"]
    counts = [sum(each.item == item for each in kept.lines) for item in {each.item for each in kept.lines}]
    assert (len(kept.lines), max(counts)) == (LINES, 2)
    hot = told_by([*MONTH, *(line(n, 30) for n in range(50))])
    (kept,) = [unpack_billed(value) for (_, name), value in hot.stored()[0].items() if name == "billed"]
    assert len(kept.lines) == LINES_OF_AN_ITEM


def test_of_a_long_stay_the_newest_lines_are_held_and_each_of_them_can_be_taken_back() -> None:
    lines = [line(n, 30 + n // 20, f"C{n:03d}") for n in range(300)]
    days = [(stock(100 + n, "purchased", 30 + n), *lines[20 * n : 20 * (n + 1)]) for n in range(15)]
    engine = told_by([*MONTH, *(each for day in days for each in day)])
    values = engine.stored()[0].items()
    (kept,) = [unpack_billed(value) for (_, name), value in values if name == "billed"]
    (person,) = [unpack_activity(value) for (key, _), value in values if key.endswith(f":a:{PERSON}")]
    assert {each.item for each in kept.lines} == {each.med_list_codg for each in lines[-LINES_OF_A_PERSON:]}
    assert len(person.boxes) <= 46 * LINES_OF_A_PERSON
    engine.fold([back(n, 45, each) for n, each in enumerate(lines)])
    said = [body["episode"] for body in alerts_of(engine)]
    assert said.count("opened") == said.count("closed") > LINES_OF_A_PERSON
    assert all(not unpack_billed(value).lines for (_, name), value in engine.stored()[0].items() if name == "billed")


def test_an_item_that_is_only_read_is_forgotten_with_the_rest() -> None:
    engine = told_by([*MONTH, *(line(n, 30, f"X{n}", psn_no=f"p{n % 20}") for n in range(200))])
    engine.commit()
    engine.subjects.forget_beyond(0)
    assert len(list(engine.subjects.values.everything())) == 2  # the policy, and what peers have in common


CAME = {
    "brought in, and out again on that date": [stock(21, "changed_in", 29, "X1"), stock(22, "changed_out", 29, "X1")],
    "found by a count, sold, and another count finds none": [
        stock(21, "counted", 20, "X1", cnt_x10000=50_000),
        stock(22, "sold", 25, "X1", cnt_x10000=50_000),
        stock(23, "counted", 29, "X1", cnt_x10000=0),
    ],
    "found by a count, and that of the day before is told after it": [
        stock(21, "counted", 29, "X1", cnt_x10000=0),
        stock(22, "counted", 28, "X1"),
    ],
    "bought, and given back on that date": [stock(21, "purchased", 1, "X1"), stock(22, "purchase_returned", 1, "X1")],
}


@pytest.mark.parametrize("came", CAME.values(), ids=CAME)
def test_what_came_in_clears_a_line_whatever_left_told_before_it_or_after_it(came: list[Fact]) -> None:
    for facts in ([*came, line(1, 30)], [line(1, 30), *came]):
        assert alerts_of(told_by([*MONTH, *facts, stock(30, "sold", 33)])) == []


@pytest.mark.parametrize("kind", BRINGING)
def test_what_was_deleted_before_the_line_had_not_come_in(kind: str) -> None:
    came = stock(21, kind, 29, "X1", fixmedins_bchno="B1")
    batch = {"fixmedins_code": HOSPITAL, "fixmedins_bchno": "B1"}
    deleted = StockMoved(event_id="M22", occurred_at=NOON + timedelta(days=29), movement="deleted", **batch)
    for facts, opened in (([came, line(1, 30)], 0), ([came, deleted, line(1, 30)], 1)):
        assert len(alerts_of(told_by([*MONTH, *facts, stock(30, "sold", 33)]))) == opened


def test_a_line_is_judged_after_the_longest_silence_that_a_policy_may_allow() -> None:
    def silent(days: int) -> dict[str, str]:
        rules = FILES["rules.toml"].replace("value.silent_days = 7", f"value.silent_days = {days}")
        return FILES | {"rules.toml": rules}

    last = 30 + LATE - 1  # one date later would judge it
    facts = [*MONTH, line(1, 30), stock(8, "sold", last), stock(9, "sold", last + WINDOW - LATE)]
    assert [body["vola_evid"] for body in alerts_of(told_by(facts, files=silent(WINDOW - LATE)))] == [["F1", "M9"]]
    with pytest.raises(PolicyError, match="silent_days is 28"):
        told_by(facts, files=silent(WINDOW - LATE + 1))


def drawn(seed: int) -> list[Fact]:
    """Four months of two hospitals, few items: lines, some taken back, stock that comes in, some told days late."""
    random, facts = Random(seed), list[Fact]()
    for number in range(400):
        day, item = number * 120 // 400, f"X{random.choice('1112345')}"
        code = random.choice((HOSPITAL, HOSPITAL, "H43050200002"))
        chance, lines = random.random(), [fact for fact in facts if isinstance(fact, FeeAdded)]
        if chance < 0.15 and lines:
            facts.append(back(number, day, random.choice(lines[-8:])))
        elif chance < 0.55:
            late = random.choice((0, 0, 0, 1, 2, 4))
            fen = random.choice((LEAST_FEN - 1, LEAST_FEN, 30_000))
            facts.append(line(number, day - late, item, fixmedins_code=code, amount_fen=fen, psn_no=f"p{number % 3}"))
        elif chance < 0.95:
            kind = random.choice(("sold", "sold", "purchased")) if seed % 3 else "sold"
            facts.append(stock(number, kind, day, fixmedins_code=code))
        else:
            kinds = random.choice((("purchased",), ("changed_in", "changed_out"), ("counted", "sold"), ("counted",)))
            late, count = random.choice((0, 0, 1, 2, 12)), random.choice((0, 10_000, 10_000))
            for n, kind in enumerate(kinds):
                more = {"fixmedins_code": code, "cnt_x10000": count}
                facts.append(stock(number + 1_000 * n, kind, day - late, item, **more))
    if seed % 2:
        return facts
    return [each for each in facts if isinstance(each, FeeAdded) or not 60 < day_of(each) < 69]


class NaiveReader:
    """Reads the whole log again for every line: from where to where in it the line waited, and was held against him."""

    def __init__(self, facts: list[Fact], code: str) -> None:
        self.facts = facts
        self.stock = [(n, each) for n, each in enumerate(facts) if isinstance(each, StockMoved)]
        self.stock = [(n, each) for n, each in self.stock if each.fixmedins_code == code]
        self.lives: list[tuple[FeeAdded, int, int, int]] = []  # the line, where it came, was judged, and was gone
        for n, fact in enumerate(facts):
            if isinstance(fact, FeeAdded) and fact.fixmedins_code == code and self._waits(n, fact):
                self.lives.append((fact, n, *self._life(n, fact)))

    def _told(self, until: int) -> tuple[int, int]:
        """Since which day, and until which, stock was told of without a silence, before that place of the log."""
        since, newest = -999, -999
        for day in (day_of(each) for n, each in self.stock if n < until):
            since = day if day > newest + SILENT else since
            newest = max(newest, day)
        return since, newest

    def _waits(self, place: int, line: FeeAdded) -> bool:
        day, (since, newest) = day_of(line), self._told(place)
        came = [m for n, m in self.stock if n < place and m.med_list_codg == line.med_list_codg]
        came = [m for m in came if m.movement in BRINGING and m.cnt_x10000]
        bought = [day_of(m) for n, m in self.stock if n < place and m.movement == "purchased"]
        beside = [end for other, _, _, end in self.lives if other.med_list_codg == line.med_list_codg and end > place]
        return (
            line.amount_fen >= LEAST_FEN
            and since <= day - WINDOW + 1
            and max(bought, default=-999) > day - WINDOW
            and newest - LATE < day <= newest + SILENT
            and not any(day - WINDOW < day_of(m) <= day for m in came)
            and len(beside) < LINES_OF_AN_ITEM
        )

    def _life(self, place: int, line: FeeAdded) -> tuple[int, int]:
        day, judged, never = day_of(line), len(self.facts), len(self.facts)
        for n, fact in enumerate(self.facts[place + 1 :], place + 1):
            if isinstance(fact, FeeReversed) and fact.feedetl_sn == line.feedetl_sn:
                return judged, n
            if (n, fact) not in self.stock:
                continue
            assert isinstance(fact, StockMoved)
            _, before = self._told(n)
            came_in = fact.movement in BRINGING and fact.cnt_x10000 and fact.med_list_codg == line.med_list_codg
            clears = came_in and day_of(fact) > day - WINDOW and (day_of(fact) <= day or judged < never)
            is_silent = day_of(fact) > before + SILENT and judged == never
            if clears or is_silent or max(before, day_of(fact)) >= day + WINDOW:
                return judged, n
            if max(before, day_of(fact)) >= day + LATE:
                judged = min(judged, n)
        return judged, never

    def alerts(self) -> set[tuple[int, str, str]]:
        """Where an item's episode opened, and where it ended: while any line of it is held against the hospital."""
        found: set[tuple[int, str, str]] = set()
        for item in {line.med_list_codg for line, *_ in self.lives}:
            held = [(judged, gone) for line, _, judged, gone in self.lives if line.med_list_codg == item]
            held = [(judged, gone) for judged, gone in held if judged < gone]
            for judged, gone in held:
                if not any(other < judged < end for other, end in held):
                    found.add((judged, "opened", item))
                if gone < len(self.facts) and not any(other < gone < end for other, end in held):
                    found.add((gone, "closed", item))
        return found


@pytest.mark.parametrize("seed", range(20))
def test_what_is_held_against_a_hospital_is_what_a_naive_reader_of_the_whole_log_finds(seed: int) -> None:
    facts = drawn(seed)
    engine, said = Engine(Parameters(), files=FILES), set[tuple[int, str, str]]()
    for n, fact in enumerate(facts):
        before = len(engine.outputs)
        engine.fold([fact])
        said |= {
            (n, output.body["episode"], output.body["med_list_codg"])
            for output in engine.outputs[before:]
            if output.body.get("rule_id") == "H06" and output.body["subject_id"] == HOSPITAL
        }
    assert said == NaiveReader(facts, HOSPITAL).alerts()
    assert {word for _, word, _ in said} == {"opened", "closed"}


@pytest.mark.parametrize("seed", range(10))
def test_any_cutting_of_the_log_gives_the_same_bytes(seed: int) -> None:
    facts = drawn(seed)
    whole, cut = Engine(Parameters(), files=FILES), Engine(Parameters(), files=FILES)
    told = whole.fold(facts)
    assert cut.fold(facts, Random(seed).sample(range(1, len(facts)), 12)) == told
    assert cut.stored() == whole.stored()
