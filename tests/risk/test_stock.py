"""What is left of an item: the newest count and what moved after it, each movement once, however the log comes."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from connectors.codec import decode_fact, encode_fact
from connectors.state_codec import unpack_item
from connectors.store import Address
from connectors.topology import partition_of
from risk.facts import CodeMoved, Fact, PolicyActivated, StockMoved, StockUndone
from risk.local_time import SHANGHAI, local_day, to_ms
from risk.outputs import Output
from risk.stock import DAYS_KEPT, Item, days_of, left_x10000
from risk.stock_ledger import KEYS_KEPT_DAYS, LINES_OF_A_BATCH
from streams.person_shard import PersonShard
from streams.shards import Effects, Record
from streams.subject_shard import SubjectShard
from tests.oracle.policy_text import policy_files
from tests.oracle.rules_oracle import Parameters
from tests.risk.test_rule_cases import shaoyang_files

NOON = datetime(2026, 3, 10, 12, tzinfo=SHANGHAI)
FILES = policy_files(Parameters(), ())


def movement(
    number: int, kind: str, count: int = 10_000, *, days: int = 0, minutes: int = 0, **more: Any
) -> StockMoved:
    """Movement M1, M2, … of item X1 at pharmacy P1, some days and minutes from noon."""
    fields = {"fixmedins_code": "P1", "med_list_codg": "X1"} | more
    at = NOON + timedelta(days=days, minutes=minutes)
    return StockMoved(event_id=f"3505:M{number}:0", occurred_at=at, movement=kind, cnt_x10000=count, **fields)


def deletion(number: int, batch: str, **more: Any) -> StockMoved:
    """A 3507 of a batch, an hour after noon."""
    at = more.pop("occurred_at", NOON + timedelta(hours=1))
    named = {"fixmedins_code": "P1", "movement": "deleted", "fixmedins_bchno": batch} | more
    return StockMoved(event_id=f"3507:M{number}:0", occurred_at=at, **named)


class Shelf:
    """One shard of subjects and the log it reads; what it appends to its own partition it reads at the end."""

    def __init__(
        self, *, cuts: Sequence[int] = (), clock: str = "log", partitions: int = 1, files: dict[str, str] = FILES
    ) -> None:
        self.values: dict[Address, bytes] = {}
        self.log: list[bytes] = []
        self.said: list[Effects] = []
        self._cuts, self._clock, self._partitions = set(cuts), clock, partitions
        self.shard = self._new_shard()
        named = {"version": "1", "digest": "", "files": files}
        self.tell(PolicyActivated(event_id="p", occurred_at=NOON, psn_no="", **named))

    def _new_shard(self) -> SubjectShard:
        home = partition_of("P1", self._partitions)
        return SubjectShard("{q0}", home, partitions=1, subject_partitions=self._partitions, clock=self._clock)

    def tell(self, *facts: Fact) -> list[str]:
        """Append facts, read the log to its end; the results of these facts."""
        said = [self._read(encode_fact(fact)) for fact in facts]
        waiting = [each.value for effects in said for each in effects.rerouted]
        for value in waiting:
            self._read(value)
        return [effects.result for effects in said]

    def read(self, log: Sequence[bytes]) -> None:
        """Read a log as it stands: what it makes us append is in it already."""
        for value in log:
            self._read(value)

    def _read(self, value: bytes) -> Effects:
        record = Record(len(self.log), to_ms(NOON), value)
        if record.offset in self._cuts:  # a new worker stands where the last one stood
            self.values |= self.shard.take_changes()
            before, self.shard = self.shard, self._new_shard()
            policy = self.values[before.values.address("policy")]
            self.shard.restore(before.state, policy, lambda _: (), f"{before.values.digest:x}")
        self.log.append(value)
        meaning = self.shard.decode(record)
        for address in self.shard.addresses([meaning]):
            self.shard.values.load(address, self.values.get(address))
        effects = self.shard.apply(record, meaning)
        assert self.shard.changed_count <= len(self.log) * self.shard.room_for(meaning)
        self.said.append(effects)
        self.values |= self.shard.take_changes()
        return effects

    def item(self, name: str = "P1/X1") -> Item:
        """What is remembered of an item."""
        value = self.values[f"xm:{{q0}}:g:{name}", "left"]
        return unpack_item(value)

    @property
    def left(self) -> int:
        return left_x10000(self.item())

    def outputs(self) -> Iterator[Output]:
        return (output for effects in self.said for output in effects.outputs)

    def letters(self) -> list[str]:
        """The reasons of the dead letters."""
        return [output.body["reason"] for output in self.outputs() if output.topic == "deadletter"]

    def alerts(self) -> list[str]:
        """The rules that spoke."""
        return [output.body["rule_id"] for output in self.outputs() if output.topic == "alerts"]


def test_what_is_left_is_the_count_and_what_moved_since() -> None:
    shelf = Shelf()
    shelf.tell(
        movement(1, "counted", 100_000),
        movement(2, "purchased", 50_000, minutes=1),
        movement(3, "sold", 120_000, minutes=2),
        movement(4, "sale_returned", 10_000, minutes=3),
        movement(5, "purchase_returned", 5_000, minutes=4),
        movement(6, "changed_in", 1, minutes=5),
        movement(7, "changed_out", 2, days=1),
    )
    assert shelf.left == 100_000 + 50_000 - 120_000 + 10_000 - 5_000 + 1 - 2


@pytest.mark.parametrize("counted_first", [True, False])
def test_a_count_counts_by_its_instant_not_by_its_day(counted_first: bool) -> None:
    #  minutes   -2 sold 10 000 ---- 0 counted 70 000 ---- 2 sold 20 000
    sales = [movement(2, "sold", 10_000, minutes=-2), movement(3, "sold", 20_000, minutes=2)]
    counted = movement(1, "counted", 70_000)
    shelf = Shelf()
    shelf.tell(*([counted, *sales] if counted_first else [*sales, counted]))
    assert shelf.left == 50_000


def test_an_older_count_never_replaces_a_newer_one() -> None:
    shelf = Shelf()
    shelf.tell(movement(1, "counted", 70_000), movement(2, "counted", 1, minutes=-1))
    assert (shelf.left, shelf.item().is_counted) == (70_000, True)


def test_the_days_are_kept_as_sums_and_what_leaves_them_stays_in_what_is_left() -> None:
    shelf = Shelf()
    shelf.tell(movement(1, "counted", 100_000), movement(2, "sold", 30_000, days=1))
    shelf.tell(movement(3, "purchased", 1, days=1 + DAYS_KEPT))
    assert ([day.purchased_x10000 for day in days_of(shelf.item())], shelf.left) == ([1], 70_001)


def test_a_hot_item_rewrites_only_the_day_it_touches() -> None:
    shelf = Shelf()
    per_day = 200
    for day in range(10):
        shelf.tell(*(movement(day * per_day + n, "sold", days=day, minutes=n) for n in range(per_day)))
    slots = [len(value) for (key, name), value in shelf.values.items() if ":g:" in key and name != "left"]
    assert (len(slots), max(slots)) == (10, 2 + per_day * 13)
    assert len(shelf.values["xm:{q0}:g:P1/X1", "left"]) < 1_500
    assert max(len(value) for (key, _), value in shelf.values.items() if ":k:" in key) < 200


@pytest.mark.parametrize(
    ("second", "result"),
    [
        (movement(1, "sold"), "duplicate"),
        (movement(1, "sold", 10_001), "conflict"),
        (movement(1, "sold", med_list_codg="X2"), "conflict"),
        (movement(1, "sold", 10_001, days=3), "conflict"),
        (movement(1, "sold", days=KEYS_KEPT_DAYS - 1), "duplicate"),
    ],
)
def test_the_same_id_counts_once(second: StockMoved, result: str) -> None:
    shelf = Shelf()
    assert shelf.tell(movement(1, "sold"), second) == ["applied", result]
    assert shelf.left == -10_000
    assert shelf.alerts() == (["Q04"] if result == "conflict" else [])
    assert shelf.letters() == (["CONFLICT"] if result == "conflict" else [])


@pytest.mark.parametrize("days", [KEYS_KEPT_DAYS - 1, KEYS_KEPT_DAYS])
def test_an_id_is_remembered_four_hundred_days(days: int) -> None:
    # the newer movement is sent under an id of the same bucket
    number = next(n for n in range(2, 100_000) if _bucket(movement(n, "sold")) == _bucket(movement(1, "sold")))
    shelf = Shelf()
    shelf.tell(movement(1, "sold"), movement(number, "sold", days=days))
    assert shelf.tell(movement(1, "sold")) == ["duplicate" if days < KEYS_KEPT_DAYS else "refused"]
    assert shelf.letters() == ([] if days < KEYS_KEPT_DAYS else ["TOO_LATE"])


def _bucket(fact: StockMoved) -> Address:
    return Shelf().shard.addresses([fact])[0]


def test_a_count_of_a_day_that_is_summed_up_already_is_said_to_be_too_late() -> None:
    shelf = Shelf()
    shelf.tell(movement(1, "sold", days=DAYS_KEPT))
    assert shelf.tell(movement(2, "counted", 5)) == ["refused"]
    assert (shelf.letters(), shelf.left) == (["TOO_LATE"], -10_000)


def test_a_deletion_takes_back_what_came_under_its_batch() -> None:
    shelf = Shelf()
    shelf.tell(movement(1, "counted", 100_000), movement(2, "sold", 30_000, minutes=1, fixmedins_bchno="B1"))
    assert shelf.tell(deletion(3, "B1")) == ["applied"]
    assert (shelf.left, days_of(shelf.item())[0].sold_x10000) == (100_000, 0)
    assert shelf.tell(deletion(3, "B1")) == ["duplicate"]
    assert shelf.tell(deletion(4, "B1")) == ["refused"]
    assert shelf.letters() == ["NOTHING_TO_DELETE"]


def test_a_deletion_says_of_which_kind() -> None:
    shelf = Shelf()
    shelf.tell(movement(1, "purchased", 50_000, fixmedins_bchno="B1"), movement(2, "sold", fixmedins_bchno="B1"))
    shelf.tell(deletion(3, "B1", deletes="purchased"))
    assert shelf.left == -10_000


def test_a_deleted_count_is_none_and_the_next_one_is() -> None:
    shelf = Shelf()
    shelf.tell(movement(1, "counted", 50_000, fixmedins_bchno="B1"), deletion(2, "B1"))
    assert not shelf.item().is_counted
    shelf.tell(movement(3, "counted", 40_000, minutes=1))
    assert (shelf.item().is_counted, shelf.left) == (True, 40_000)


@pytest.mark.parametrize("lines", [LINES_OF_A_BATCH, LINES_OF_A_BATCH + 1, 3 * LINES_OF_A_BATCH])
def test_a_number_that_numbers_no_line_is_refused_not_guessed(lines: int) -> None:
    shelf = Shelf()
    shelf.tell(*(movement(n, "sold", minutes=n, fixmedins_bchno="0") for n in range(lines)))
    shelf.tell(deletion(900, "0"))
    assert shelf.letters() == ([] if lines == LINES_OF_A_BATCH else ["AMBIGUOUS_BATCH"])
    assert shelf.left == (0 if lines == LINES_OF_A_BATCH else -10_000 * lines)
    assert max(len(value) for (key, _), value in shelf.values.items() if ":b:" in key) < 1_500


def test_the_boxes_of_a_deleted_sale_come_back() -> None:
    codes = ("81234560000000000001", "81234560000000000002")
    shelf = Shelf()
    shelf.tell(movement(1, "sold", fixmedins_bchno="B1", drug_trac_codg=codes), deletion(2, "B1"))
    told = [decode_fact(each.value) for effects in shelf.said for each in effects.rerouted]
    assert [type(fact) for fact in told] == [StockUndone, CodeMoved, CodeMoved]
    assert [(fact.movement, fact.drug_trac_codg) for fact in told if isinstance(fact, CodeMoved)] == [
        ("sale_returned", code) for code in codes
    ]


def test_what_is_told_by_the_unit_moves_no_box_and_its_deletion_none_either() -> None:
    shelf = Shelf()
    by_unit = {"trdn_flag": True, "fixmedins_bchno": "B1"}
    shelf.tell(movement(1, "counted", 100_000), movement(2, "sold", 240_000, minutes=1, **by_unit))
    shelf.tell(movement(3, "counted", 2_400_000, minutes=2, **by_unit))
    shelf.tell(movement(4, "purchased", 120_000, minutes=3, **by_unit))
    (day,) = days_of(shelf.item())
    assert (shelf.left, day.sold_x10000, day.purchased_x10000) == (100_000, 0, 0)
    assert day.came_x10000 > 100_000, "that something came in is known (H06)"
    shelf.tell(deletion(5, "B1"))
    assert (shelf.left, days_of(shelf.item())[0].came_x10000) == (100_000, 100_000)


@pytest.mark.parametrize("kind", ["counted", "purchased", "changed_in"])
def test_until_boxes_are_counted_again_nobody_knows_what_pills_brought(kind: str) -> None:
    pills, boxes = movement(1, kind, 240_000, trdn_flag=True, fixmedins_bchno="B1"), movement(2, "counted", 100_000)
    shelf = Shelf()
    shelf.tell(boxes, movement(3, "sold", 240_000, minutes=1, trdn_flag=True))
    assert shelf.item().is_known, "sold by the unit, they were on the shelf"
    shelf.tell(pills)
    assert shelf.item().is_known, "at one instant both are one count"
    shelf.tell(movement(4, kind, 240_000, days=2, trdn_flag=True, fixmedins_bchno="B4"))
    shelf.tell(movement(5, "counted", 100_000, days=1))
    assert not shelf.item().is_known, "an older count, told late"
    shelf.tell(deletion(6, "B4", occurred_at=NOON + timedelta(days=2)))
    assert not shelf.item().is_known, "others may have come before: it is not asked which"
    shelf.tell(movement(7, "counted", 100_000, days=3))
    assert shelf.item().is_known


def test_a_movement_from_the_future_is_refused_under_the_wall_clock() -> None:
    assert Shelf(clock="log").tell(movement(1, "sold", minutes=6)) == ["applied"]
    shelf = Shelf(clock="wall")
    assert shelf.tell(movement(1, "sold", minutes=5), movement(2, "sold", minutes=6)) == ["applied", "refused"]
    assert shelf.letters() == ["IN_THE_FUTURE"]


def test_a_movement_on_the_wrong_partition_goes_to_its_own() -> None:
    shelf = Shelf(partitions=4)
    shop = next(code for code in map(str, range(9)) if partition_of(code, 4) != partition_of("P1", 4))
    record = Record(1, to_ms(NOON), encode_fact(movement(1, "sold", fixmedins_code=shop)))
    effects = shelf.shard.apply(record, shelf.shard.decode(record))
    assert effects.result == "rerouted"
    assert effects.rerouted == [("subjects", partition_of(shop, 4), shop, record.value)]


def test_a_movement_on_the_log_of_people_is_refused_and_counted() -> None:
    shard = PersonShard("{p0}", 0, partitions=1, subject_partitions=1, clock="log")
    record = Record(0, to_ms(NOON), encode_fact(movement(1, "sold")))
    meaning = shard.decode(record)
    shard.addresses([meaning])
    effects = shard.apply(record, meaning)
    assert (effects.event_type, effects.result) == ("stock.moved", "refused")
    assert [output.body["reason"] for output in effects.outputs] == ["NO_PERSON"]


def drawn(seed: int, size: int = 120) -> list[StockMoved]:
    """Movements of an item over seventy days, some told late, again, or deleted."""
    random, kinds = Random(seed), ("counted", "purchased", "sold", "sold", "sale_returned", "changed_out")
    facts: list[StockMoved] = []
    for number in range(size):
        chance = random.random()
        if facts and chance < 0.15:
            facts.append(random.choice(facts))
        elif facts and chance < 0.3:
            named = random.choice(facts)
            facts.append(deletion(number, named.fixmedins_bchno or "", occurred_at=named.occurred_at))
        else:
            when = {"days": number // 3 + random.randrange(-30, 30), "minutes": random.randrange(600)}
            count = random.randrange(1, 9) * 10_000
            more = {"fixmedins_bchno": f"B{number // 2}", "trdn_flag": number % 8 == 7}
            facts.append(movement(number, random.choice(kinds), count, **when, **more))
    return facts


@pytest.mark.parametrize("seed", range(20))
def test_any_cutting_of_the_log_gives_the_same_bytes(seed: int) -> None:
    whole = Shelf()
    whole.tell(*drawn(seed))
    cut = Shelf(cuts=sorted(Random(seed + 1_000).sample(range(2, len(whole.log)), 9)))
    cut.read(whole.log[1:])
    assert (cut.values, cut.shard.values.digest, cut.said) == (whole.values, whole.shard.values.digest, whole.said)
    assert {"applied", "duplicate", "refused"} <= {effects.result for effects in whole.said}


@pytest.mark.parametrize("seed", range(20))
def test_what_is_left_is_what_a_naive_reader_of_all_movements_finds(seed: int) -> None:
    shelf = Shelf()
    facts = drawn(seed)
    results = shelf.tell(*facts)
    signs = {"purchased": 1, "sale_returned": 1, "sold": -1, "changed_out": -1}
    counted_at, left, moves = NOON - timedelta(days=9_999), 0, list[StockMoved]()
    for fact, result in zip(facts, results, strict=True):
        if result != "applied" or fact.movement == "deleted" or fact.trdn_flag:
            continue
        if fact.movement != "counted":
            moves.append(fact)
        elif fact.occurred_at >= counted_at:
            counted_at, left = fact.occurred_at, fact.cnt_x10000 or 0
    undone = [decode_fact(each.value) for effects in shelf.said for each in effects.rerouted]
    for fact in (each for each in undone if isinstance(each, StockUndone) and each.movement != "counted"):
        if fact.trdn_flag:
            continue
        same = (fact.movement, fact.cnt_x10000, fact.moved_at)
        moves.remove(next(each for each in moves if (each.movement, each.cnt_x10000, each.occurred_at) == same))
    left += sum(signs[each.movement] * (each.cnt_x10000 or 0) for each in moves if each.occurred_at > counted_at)
    assert undone
    assert shelf.left == left


class Ledger:
    """All movements of one hospital's item in a list: what the second level of H07 says of them, read naively."""

    def __init__(self) -> None:
        self.moves: list[StockMoved] = []
        self.newest: dict[str, tuple[datetime, int]] = {}
        self.counted: tuple[datetime, int] | None = None
        self.pills_at = NOON - timedelta(days=9_999)
        self.day, self.is_open = 0, False

    def hear(self, fact: StockMoved | StockUndone) -> list[str]:
        at = fact.moved_at if isinstance(fact, StockUndone) else fact.occurred_at
        if fact.trdn_flag:  # pills: no boxes, and no price of one; how many boxes they add nobody knows
            if isinstance(fact, StockMoved) and fact.movement in ("counted", "purchased", "changed_in"):
                self.pills_at = max(self.pills_at, at)
        elif isinstance(fact, StockUndone):
            same = (fact.movement, fact.cnt_x10000, at)
            if fact.movement == "counted":
                self.counted = None if self.counted and self.counted[0] == at else self.counted
            else:
                named = (each for each in self.moves if (each.movement, each.cnt_x10000, each.occurred_at) == same)
                self.moves.remove(next(named))
            if fact.movement in self.newest and self.newest[fact.movement][0] == at:
                self.newest[fact.movement] = (at, 0)
        elif fact.movement == "counted":
            self.counted = (at, fact.cnt_x10000 or 0)
        else:
            self.moves.append(fact)
            known_at, known_price = self.newest.get(fact.movement, (NOON - timedelta(days=9_999), 0))
            if fact.pric_x1000000 and (at > known_at or (at == known_at and not known_price)):
                self.newest[fact.movement] = (at, fact.pric_x1000000)
        self.day = max(self.day, local_day(to_ms(at)))
        percent = self.percent() or 0  # and what cannot be said any more holds nothing open
        is_late = local_day(to_ms(fact.occurred_at)) <= self.day - 3
        if is_late or self.is_open == (percent >= (121 if self.is_open else 151)):
            return []
        self.is_open = percent >= 151 if not self.is_open else False
        return [f"{'opened' if self.is_open else 'closed'} {percent}"]

    def percent(self) -> int | None:
        paid, asked = (self.newest.get(kind, (NOON, 0))[1] for kind in ("purchased", "sold"))
        if self.counted is None or self.counted[0] < self.pills_at or not paid or not asked:
            return None
        at, left = self.counted
        signs = {"purchased": 1, "sale_returned": 1, "sold": -1}
        since = max(local_day(to_ms(at)), self.day - 33)
        sold = newer = 0
        for each in self.moves:
            count, day = signs[each.movement] * (each.cnt_x10000 or 0), local_day(to_ms(each.occurred_at))
            left += count if each.occurred_at > at else 0
            if each.movement != "purchased" and day > since:
                sold, newer = (sold - count, newer) if day <= self.day - 3 else (sold, newer - count)
        if sold * asked < 10_000 * 10**8 or left + sold + newer <= 0:
            return 0
        return sold * asked * 100 // ((left + sold + newer) * paid)


def test_random_logs_say_in_money_what_a_naive_reader_says() -> None:
    said_most = 0
    for seed in range(110):
        random, shelf, ledger = Random(seed), Shelf(files=shaoyang_files()), Ledger()
        named: list[StockMoved] = []
        for number in range(90):
            kind = random.choice(("counted", "purchased", "purchased", "sold", "sold", "sale_returned"))
            of = {"fixmedins_code": "H430501", "med_list_codg": "XA1", "fixmedins_bchno": f"B{number}"}
            price = random.choice((None, 9, 10, 12, 20)) if kind in ("purchased", "sold") else None
            fact = movement(number, kind, random.randrange(1, 30) * 10_000, days=number // 2 + random.randrange(-3, 3),
                            minutes=number, pric_x1000000=price and price * 1_000_000, trdn_flag=number % 8 == 7,
                            **of)  # fmt: skip
            if named and random.random() < 0.1:
                gone = named.pop(random.randrange(len(named)))
                fact = deletion(
                    number, gone.fixmedins_bchno or "", occurred_at=fact.occurred_at, fixmedins_code="H430501"
                )
            elif kind == "counted" and any(e.movement == kind and e.occurred_at > fact.occurred_at for e in named):
                continue  # an older count: told of elsewhere
            else:
                named.append(fact)
            before, outputs = len(shelf.said), list[str]()
            assert shelf.tell(fact) == ["applied"]
            heard = (
                [decode_fact(each.value) for each in shelf.said[before].rerouted]
                if fact.movement == "deleted"
                else [fact]
            )
            expected = [
                line for each in heard if isinstance(each, StockMoved | StockUndone) for line in ledger.hear(each)
            ]
            for effects in shelf.said[before:]:
                outputs += [
                    f"{o.body['episode']} {o.body['observed']}" for o in effects.outputs if o.body.get("level") == 2
                ]
            assert outputs == expected, (seed, number)
            said_most += len(expected)
    assert said_most > 60
