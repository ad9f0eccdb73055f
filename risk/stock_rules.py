"""H07, D07 (进销存不符): an institution that sold more of an item than it had, by its own word (3501-3506).

Since the last count: what was counted, plus what came in, less what went back or out otherwise, is what there was to
sell. A sale is held against it from the third local day on: a purchase may be told 48 hours late (domain.md 2.7). An
item that was never counted is not judged, nobody knows what it began with; nor is a movement told more than that behind
the item's newest. What was sold is the institution's 3505; fee lines are not compared with it.
"""

from msgspec.structs import replace

from risk.alerts import Crossing
from risk.facts import StockMoved, StockUndone
from risk.local_time import local_day
from risk.moment import Moment
from risk.outputs import Output
from risk.stock import OPEN_DAYS, Item, days_of, left_x10000
from risk.terms import Clause

_RULES = {"H": "H07", "P": "D07"}  # the first letter of a national code (contract.md, "National messages")
_WHOLE = 10_000


def oversold_x10000(item: Item) -> int:
    """How much more was sold than there was, before the newest dates."""
    if not item.is_counted:
        return 0
    recent = sum(day.sold_x10000 for day in days_of(item) if day.date > item.newest_day - OPEN_DAYS)
    return max(0, -(left_x10000(item) + max(0, recent)))


def judged(item: Item, fact: StockMoved | StockUndone, moment: Moment) -> tuple[Item, list[Output]]:
    """The item after one applied movement was judged: an episode opens once, and ends when there was enough."""
    clause = moment.terms.get(_RULES.get(fact.fixmedins_code[:1], ""))
    if clause is None or local_day(moment.occurred_ms) <= item.newest_day - OPEN_DAYS:
        return item, []
    over = oversold_x10000(item)
    if bool(over) == bool(item.opened):
        return item, []
    opened = fact.event_id if over else ""
    said = _alert(clause, fact, moment, over=over, opened=item.opened)
    return replace(item, opened=opened), [said]


def _alert(clause: Clause, fact: StockMoved | StockUndone, moment: Moment, *, over: int, opened: str) -> Output:
    """`opened`: the event that opened the episode which ends now; '' where it begins."""
    rule, code = clause.value, fact.fixmedins_code
    observed = -(-over // _WHOLE)  # a part of a unit counts as one
    named = (_RULES[code[0]], 1, rule.kind, rule.sev, "institution", code, opened or fact.event_id)
    crossing = Crossing(*named, moment.occurred_ms, moment.stamp_ms, observed, 0)
    return moment.alert(
        clause,
        crossing,
        episode="closed" if opened else "opened",
        evidence=(fact.event_id,),
        fixmedins_code=code,
        med_list_codg=fact.med_list_codg,
    )
