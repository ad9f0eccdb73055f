"""H07, D07 (进销存不符): an institution that sold more of an item than it had, by its own word (3501-3506), or what it
had for far more than it paid.

Since the last count: what was counted, plus what came in, less what went back or out otherwise, is what there was to
sell. A sale is held against it from the third local day on: a purchase may be told 48 hours late (domain.md 2.7). An
item that was never counted is not judged, nobody knows what it began with; nor is one whose code is a placeholder, for
it is many items; nor a movement told more than that behind the item's newest. What is sold by the unit, or comes back
so, is no box; what comes in or is counted so is some boxes, nobody knows how many, and the item is not judged until
boxes are counted again (stock.py). What was sold is the institution's 3505; fee lines are not compared with it.

The second level is in money: what was sold in some days before these, at the price last asked, in per cent of what
there was to sell in them, at the price last paid (prices.py). A count (3501) states no price: what it found is worth
what was last paid. Of the count's own day only what is left is known, so its sales are not looked at. An item of which
one of the two prices is not known, because it was deleted or neither W01 nor E01 asks for it, is not judged so, and
what was open of it ends.
"""

from msgspec.structs import replace

from risk.alerts import Crossing
from risk.facts import StockMoved, StockUndone
from risk.heard import is_nobody
from risk.local_time import local_day
from risk.moment import Moment
from risk.outputs import Output
from risk.policy_rules import Level
from risk.policy_stock import StockRule
from risk.prices import NO_PRICES, Prices
from risk.stock import OPEN_DAYS, Item, days_of, left_x10000
from risk.terms import Clause

_RULES = {"H": "H07", "P": "D07"}  # the first letter of a national code (contract.md, "National messages")
_WHOLE = 10_000
_FEN = 10**8
"""Units x10000 times prices x1000000, a fen."""


def oversold_x10000(item: Item) -> int:
    """How much more was sold than there was, before the newest dates."""
    if not item.is_known:
        return 0
    recent = sum(day.sold_x10000 for day in days_of(item) if day.date > item.newest_day - OPEN_DAYS)
    return max(0, -(left_x10000(item) + max(0, recent)))


def sold_percent(item: Item, prices: Prices, rule: StockRule) -> int:
    """What was sold in the rule's days, in per cent of the worth of what there was to sell; 0: it cannot be said."""
    asked, paid = prices.sold.pric_x1000000, prices.purchased.pric_x1000000
    if not (item.is_known and asked and paid):
        return 0
    until = item.newest_day - OPEN_DAYS
    since = max(until - rule.window_days, local_day(item.counted_ms))
    days = days_of(item)
    sold = sum(day.sold_x10000 for day in days if since < day.date <= until)
    there_was = left_x10000(item) + sum(day.sold_x10000 for day in days if day.date > since)
    if sold * asked < rule.least_fen * _FEN or there_was <= 0:
        return 0
    return sold * asked * 100 // (there_was * paid)


def judged(
    item: Item, fact: StockMoved | StockUndone, moment: Moment, prices: Prices = NO_PRICES
) -> tuple[Item, list[Output]]:
    """The item after one applied movement was judged: an episode opens once, and ends when there was enough."""
    clause = moment.terms.get(_RULES.get(fact.fixmedins_code[:1], ""))
    if clause is None or local_day(moment.occurred_ms) <= item.newest_day - OPEN_DAYS:
        return item, []
    if is_nobody(fact.med_list_codg or "", moment.terms):
        return item, []
    said, over = [], oversold_x10000(item)
    if bool(over) != bool(item.opened):
        units = -(-over // _WHOLE)  # a part of a unit counts as one
        said.append(_alert(clause, fact, moment, clause.value.levels[0], seen=(units, item.opened)))
        item = replace(item, opened=fact.event_id if over else "")
    level = clause.value.ratio
    if level is not None:
        percent = sold_percent(item, prices, clause.value)
        if percent >= level.theta and not item.rated:
            said.append(_alert(clause, fact, moment, level, seen=(percent, "")))
            item = replace(item, rated=fact.event_id)
        elif percent < level.rearm and item.rated:
            said.append(_alert(clause, fact, moment, level, seen=(percent, item.rated)))
            item = replace(item, rated="")
    return item, said


def _alert(
    clause: Clause, fact: StockMoved | StockUndone, moment: Moment, level: Level, *, seen: tuple[int, str]
) -> Output:
    """`seen`: the measure, and the event that opened the episode which ends now; '' where it begins."""
    (observed, opened), code = seen, fact.fixmedins_code
    named = (_RULES[code[0]], level.level, level.kind, level.sev, "institution", code, opened or fact.event_id)
    crossing = Crossing(*named, moment.occurred_ms, moment.stamp_ms, observed, level.theta)
    return moment.alert(
        clause,
        crossing,
        episode="closed" if opened else "opened",
        evidence=(fact.event_id,),
        fixmedins_code=code,
        med_list_codg=fact.med_list_codg,
    )
