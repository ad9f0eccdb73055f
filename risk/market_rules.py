"""W01, E01: a price far from what others pay or ask for the same drug, and a drug that became dearer, or cheaper.

W01 holds what one institution tells against the others of its prefecture: so many per cent from their median, and
outside what eight tenths of them pay or ask. It is judged at the institution's own telling, and ends at one that is
near again, or when its price is withdrawn or forgotten. E01 holds what is paid for one product against the mean of the
days before, whoever bought it: the median, and both ends of the middle half with it, so that one who joins a market of
two prices moves none. A price told more than 48 hours behind its market's newest counts, and is silent.
"""

from typing import NamedTuple

from msgspec.structs import replace

from risk.activity import LATE_MS, Episode
from risk.alerts import Crossing
from risk.facts import PriceTold
from risk.local_time import local_day, to_ms
from risk.market import NOBODY, Market, Spread, price_of, quartiles_before, spread_of
from risk.moment import Moment
from risk.outputs import Output
from risk.policy_rules import Level, PriceRule
from risk.prices import region_of
from risk.terms import Clause


class _Look(NamedTuple):
    """What one rule sees at one telling. `place` '': the product itself."""

    rule_id: str
    clause: Clause
    place: str
    observed: int
    price: int
    spread: Spread


def judged(before: Market, market: Market, fact: PriceTold, moment: Moment) -> tuple[Market, list[Output]]:
    """The market after one applied telling was judged; `before` is what it was without it."""
    if to_ms(fact.moved_at) < before.newest_ms - LATE_MS:
        return market, []
    said: list[Output] = []
    for look in _looks(market, fact, moment):
        for level in look.clause.value.levels:
            market, outputs = _at_level(market, look, level, (fact, moment))
            said += outputs
    return market, said


def _looks(market: Market, fact: PriceTold, moment: Moment) -> list[_Look]:
    """W01 of the institution itself and of those that the market has just forgotten, and E01 of what is bought."""
    looks = []
    alone, growth = (_asking(moment, name, fact) for name in ("W01", "E01"))
    if alone is not None:
        looks.append(_beside_others(market, fact, alone))
        open_at = {each.place for each in market.episodes if each.place} - {fact.fixmedins_code}
        gone = [place for place in sorted(open_at) if price_of(market, place) is None]
        looks += [_Look("W01", alone, place, 0, 0, NOBODY) for place in gone]
    if growth is not None and fact.movement == "purchased":
        looks.append(_beside_earlier_days(market, local_day(to_ms(fact.moved_at)), growth))
    return looks


def _asking(moment: Moment, rule_id: str, fact: PriceTold) -> Clause | None:
    clause = moment.terms.get(rule_id)
    return clause if clause is not None and clause.value.asks(fact.med_list_codg) else None


def _beside_others(market: Market, fact: PriceTold, clause: Clause) -> _Look:
    """How many per cent the institution's price is from the others' median; 0 within their spread."""
    rule: PriceRule = clause.value
    others, price = spread_of(market, besides=fact.fixmedins_code), price_of(market, fact.fixmedins_code) or 0
    is_apart = price and others.members >= rule.least_places and not others.p10 <= price <= others.p90
    observed = abs(price - others.p50) * 100 // others.p50 if is_apart else 0
    return _Look("W01", clause, fact.fixmedins_code, observed, price, others)


def _beside_earlier_days(market: Market, day: int, clause: Clause) -> _Look:
    """By how many per cent all quartiles are dearer, or all cheaper, than the mean of those of the days before."""
    rule: PriceRule = clause.value
    now = spread_of(market)
    days, sums = quartiles_before(market, day, rule.window_days, rule.least_places)
    if days < rule.known_days or now.members < rule.least_places:
        return _Look("E01", clause, "", 0, now.p50, now)
    more = [(each * days - total, total) for each, total in zip(now.quartiles, sums, strict=True)]
    is_one_way = all(by > 0 for by, _ in more) or all(by < 0 for by, _ in more)
    observed = min(abs(by) * 100 // total for by, total in more) if is_one_way else 0
    return _Look("E01", clause, "", observed, now.p50, now)


def _at_level(market: Market, look: _Look, level: Level, told: tuple[PriceTold, Moment]) -> tuple[Market, list[Output]]:
    """What one level opens or ends."""
    key = (look.rule_id, level.level, look.place)
    known = next((each for each in market.episodes if (each.rule_id, each.level, each.place) == key), None)
    if known is None and look.observed >= level.theta:
        crossing_id = told[0].event_id
        opened = Episode(look.rule_id, level.level, 0, crossing_id, level.rearm, level.theta, place=look.place)
        return replace(market, episodes=(*market.episodes, opened)), [_alert(opened, look, told, word="opened")]
    if known is not None and look.observed < known.ends_below:
        left = tuple(each for each in market.episodes if each is not known)
        return replace(market, episodes=left), [_alert(known, look, told, word="closed")]
    return market, []


def _alert(episode: Episode, look: _Look, told: tuple[PriceTold, Moment], *, word: str) -> Output:
    fact, moment = told
    levels = look.clause.value.levels
    level = next((each for each in levels if each.level == episode.level), levels[0])
    region = region_of(fact.fixmedins_code)
    of_product = ("supplier", f"{fact.med_list_codg}@{region}")
    kind, subject = ("institution", look.place) if look.place else of_product
    named = (episode.rule_id, episode.level, level.kind, level.sev, kind, subject, episode.crossing_id)
    crossing = Crossing(*named, moment.occurred_ms, moment.stamp_ms, look.observed, episode.allowed)
    prices = {"movement": fact.movement, "region": region, "price": look.price, **look.spread._asdict()}
    return moment.alert(
        look.clause,
        crossing,
        episode=word,
        evidence=(fact.event_id,),
        fixmedins_code=look.place or None,
        med_list_codg=fact.med_list_codg,
        prices_x1000000=prices,
    )
