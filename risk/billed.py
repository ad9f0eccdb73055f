"""H06 (串换): what a hospital billed of an item that, by its own stock messages, had not come in for thirty days.

Perhaps something else was given. A line waits at its hospital until no purchase can be told late any more: until stock
moves there, of whatever item, on the third local date after it or later. What was bought, found by a count or brought
in by change on one of the thirty dates up to the line's clears it, told before the line or after it. Only who told of
its stock all those dates, and of a purchase of anything, is judged: many send sales alone. After `silent_days` of which
nothing was told it begins anew, and what waited is dropped. A line more than 48 hours behind the stock is not judged.
Lines are judged as they are billed; what is taken back, or on a settlement that is undone, is gone (boxes.py).

An episode is an item's at a hospital. It ends when the item comes in, or when its last line is taken back or thirty
days old. Four lines of an item wait beside each other, 256 in all: who has more has said enough. Of one person the 64
last told are held: one more takes back the first of them.
"""

from msgspec.structs import replace

from risk.activity import Stored
from risk.alerts import Crossing
from risk.contributions import Contribution
from risk.facts import StockMoved
from risk.local_time import DAY_MS, local_day
from risk.moment import Moment
from risk.outputs import Output
from risk.policy_rules import ShelfRule
from risk.stock import BRINGS, OPEN_DAYS, Item, days_of

HOSPITAL = "H"  # the first letter of a national code (contract.md, "National messages")
LINES_OF_AN_ITEM, LINES = 4, 256


class BilledLine(Stored, frozen=True):
    """A line that waits, or with `opened` one that was judged: the line whose event opened its item's episode."""

    number: int
    day: int
    item: str
    amount_fen: int
    event_id: str
    opened: str = ""


class Billed(Stored, frozen=True):
    """One hospital: since which date, and until which, it has told of its stock; the lines in the order they came."""

    since_day: int = 0
    newest_day: int = 0
    lines: tuple[BilledLine, ...] = ()
    bought_day: int = 0  # the newest date of a purchase of whatever item


NO_BILLED = Billed()
Judged = tuple[Billed, list[Output]]


def billed(known: Billed, item: Item, given: Contribution, moment: Moment) -> Judged:
    """A line was billed, or taken back; `item` is what is known of the shelf it names."""
    if given.sign < 0:
        left = tuple(each for each in known.lines if each.number != given.person)
        after = replace(known, lines=left) if left != known.lines else known
        return _said(known, after, given.subject_id, moment)
    clause = moment.terms.get("H06")
    if clause is None or not _waits(known, item, given, clause.value):
        return known, []
    line = BilledLine(given.person, local_day(given.at_ms), given.original_id, given.medfee_fen, given.event_id)
    return replace(known, lines=(*known.lines, line)), []


def _waits(known: Billed, item: Item, given: Contribution, rule: ShelfRule) -> bool:
    day = local_day(given.at_ms)
    is_told = known.since_day <= day - rule.window_days + 1 and known.bought_day > day - rule.window_days
    is_judged = known.newest_day - OPEN_DAYS < day <= known.newest_day + rule.silent_days
    of_item = sum(each.item == given.original_id for each in known.lines)
    has_room = of_item < LINES_OF_AN_ITEM and len(known.lines) < LINES
    return is_told and is_judged and has_room and not _came_in(item, day - rule.window_days, day)


def _came_in(item: Item, after_day: int, until_day: int) -> bool:
    """On one of the dates (after, until], whatever left on it."""
    return any(day.came_x10000 > 0 for day in days_of(item) if after_day < day.date <= until_day)


def moved(known: Billed, fact: StockMoved, moment: Moment) -> Judged:
    """The hospital's stock moved: what came in clears lines, and the time that has passed judges them."""
    clause = moment.terms.get("H06")
    if clause is None:
        return known, []
    rule, day, lines = clause.value, local_day(moment.occurred_ms), known.lines
    bought_day = max(day, known.bought_day) if fact.movement == "purchased" else known.bought_day
    if fact.movement in BRINGS and fact.cnt_x10000:
        lines = tuple(each for each in lines if each.item != fact.med_list_codg or not _clears(day, each, rule))
    newest_day, since_day = max(day, known.newest_day), known.since_day
    if day > known.newest_day + rule.silent_days:
        since_day, lines = day, tuple(each for each in lines if each.opened)
    if newest_day > known.newest_day:
        lines = _judged(tuple(each for each in lines if each.day > newest_day - rule.window_days), newest_day)
    return _said(known, Billed(since_day, newest_day, lines, bought_day), fact.fixmedins_code, moment)


def _clears(day: int, line: BilledLine, rule: ShelfRule) -> bool:
    """A line that waits was billed on that date or after it; an episode ends at whatever comes in later, too."""
    return day > line.day - rule.window_days and (day <= line.day or bool(line.opened))


def _judged(lines: tuple[BilledLine, ...], newest_day: int) -> tuple[BilledLine, ...]:
    """Lines of which no purchase can come any more join their item's episode, or open it."""
    opened = {each.item: each.opened for each in lines if each.opened}
    after = []
    for each in lines:
        is_due = not each.opened and each.day <= newest_day - OPEN_DAYS
        after.append(replace(each, opened=opened.setdefault(each.item, each.event_id)) if is_due else each)
    return tuple(after)


def _said(before: Billed, after: Billed, code: str, moment: Moment) -> Judged:
    """What ended, then what opened."""
    then, now = _episodes(before), _episodes(after)
    said = [_alert(code, lines, moment, word="closed") for opened, lines in then.items() if opened not in now]
    said += [_alert(code, lines, moment, word="opened") for opened, lines in now.items() if opened not in then]
    return after, [each for each in said if each is not None]


def _episodes(billed: Billed) -> dict[str, list[BilledLine]]:
    """The judged lines, by the event that opened their episode."""
    found: dict[str, list[BilledLine]] = {}
    for each in billed.lines:
        if each.opened:
            found.setdefault(each.opened, []).append(each)
    return found


def _alert(code: str, lines: list[BilledLine], moment: Moment, *, word: str) -> Output | None:
    clause = moment.terms.get("H06")
    if clause is None:  # a rule that is no longer in force has nothing more to say
        return None
    rule, is_open = clause.value, word == "opened"
    named = ("H06", 1, rule.kind, rule.sev, "institution", code, lines[0].opened)
    observed = max(each.amount_fen for each in lines) if is_open else 0
    crossing = Crossing(*named, moment.occurred_ms, moment.stamp_ms, observed, rule.over_fen)
    return moment.alert(
        clause,
        crossing,
        episode=word,
        evidence=(*(each.event_id for each in lines), moment.event_id),
        window_ms=rule.window_days * DAY_MS,
        fixmedins_code=code,
        med_list_codg=lines[0].item,
    )
