"""`xinmai show prices`: the market of a drug as its shard has it, for people and as JSON."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import orjson
import pytest
from msgspec.structs import replace

from connectors.state_codec import pack
from connectors.store import Commit, Store
from connectors.topology import partition_of, tags
from risk.activity import Episode
from risk.facts import PriceTold
from risk.local_time import SHANGHAI
from risk.market import NO_MARKET, Market, told
from risk.yuan import yuan_x1000000
from streams import show_prices
from streams.command_line import run
from streams.show_prices import prices_of, words_of
from streams.stop import Stop

NOON = datetime(2026, 3, 10, 12, tzinfo=SHANGHAI)
SHARDS = 3


def market_of(*prices_x1000000: int | None) -> Market:
    """One institution after another; None: what it paid was withdrawn."""
    market = NO_MARKET
    for n, price in enumerate(prices_x1000000):
        at = NOON + timedelta(hours=n)
        named = {"fixmedins_code": f"H430501{n:05d}", "med_list_codg": "XA01", "movement": "purchased"}
        fact = PriceTold(event_id=f"T{n}", occurred_at=at, moved_at=at, pric_x1000000=price, **named)
        market = told(market, fact) or market
    return market


def tag_of_drug() -> str:
    """The shard of XA01."""
    return tags("q", SHARDS)[partition_of("price:XA01", SHARDS)]


@pytest.fixture
def store(redis_62) -> Iterator[Store]:
    """A store whose shard of XA01 stands at offset 7 and knows what five bought and one asks in 4305."""
    opened = Store(redis_62.url, writes=True)
    tag = tag_of_drug()
    claim = opened.claim(tag, 1_800_000_000_000)
    bought = market_of(10_000_000, 12_500_000, 13_000_000, 12_345_678, 40_000_000)
    high = Episode("W01", 1, 0, "T4", 30, 50, place="H43050100004")
    values = {
        (f"xm:{tag}:m:XA01", "4305/purchased"): pack(replace(bought, episodes=(high,))),
        (f"xm:{tag}:m:XA01", "4305/sold"): pack(market_of(15_000_000)),
        (f"xm:{tag}:m:XA01", "4301/sold"): pack(market_of(None)),
    }
    opened.commit([Commit(tag, claim.epoch, None, 7, "0" * 32, "", b"", "t/3", values)])
    yield opened
    opened.close()


def test_the_market_of_a_drug_is_shown_with_its_place_in_the_log(store: Store) -> None:
    body = prices_of(store, SHARDS, "XA01", "4305")
    assert (body["as_of"]["shard"], body["as_of"]["offset"]) == (tag_of_drug().strip("{}"), 7)
    assert body["prices_x1000000"]["purchased"] == {
        "members": 5, "p10": 10_000_000, "p25": 12_345_678, "p50": 12_500_000, "p75": 13_000_000, "p90": 40_000_000,
        "newest": "2026-03-10T16:00:00.000+08:00",
        "open_alerts": [{"rule_id": "W01", "level": 1, "since_event": "T4", "fixmedins_code": "H43050100004"}],
    }  # fmt: skip
    assert body["prices_x1000000"]["sold"]["members"] == 1


def test_people_read_it_in_yuan_and_of_a_withdrawn_price_no_median(store: Store) -> None:
    words = words_of(prices_of(store, SHARDS, "XA01", "4305"))
    assert "5 家机构 institutions, 1 条预警 open alerts" in words
    assert "中位价 median 12.50 元 yuan; 25-75%: 12.345678 - 13.00; 10-90%: 10.00 - 40.00" in words
    body = prices_of(store, SHARDS, "XA01", "4301")
    assert body["prices_x1000000"]["sold"].keys() == {"members", "newest", "open_alerts"}
    withdrawn = words_of(body)
    assert "0 家机构" in withdrawn
    assert "median" not in withdrawn
    assert [yuan_x1000000(price) for price in (0, 12_500, 1_234_000_000)] == ["0.00", "0.0125", "1,234.00"]


@pytest.mark.parametrize(
    ("item", "region", "what_to_do"),
    [("XA01", "9999", "已知地区：4301, 4305"), ("XB01", "4305", "policy show W01")],
)
def test_what_is_not_known_is_one_line_that_says_what_to_do(
    store: Store, item: str, region: str, what_to_do: str
) -> None:
    with pytest.raises(Stop, match=what_to_do) as stopped:
        prices_of(store, SHARDS, item, region)
    assert stopped.value.exit_code == 1


def test_the_command_prints_one_object(store: Store, redis_62, monkeypatch, capfdbinary) -> None:
    monkeypatch.setenv("XINMAI_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("XINMAI_REDIS", redis_62.url)
    monkeypatch.setattr(show_prices, "partitions_of", lambda _settings, _topic: SHARDS)
    assert run(["show", "prices", "XA01", "4305", "--json"]) == 0
    assert orjson.loads(capfdbinary.readouterr().out)["region"] == "4305"
    assert run(["show", "prices", "XA01", "9999"]) == 1
    assert len(capfdbinary.readouterr().err.splitlines()) == 1
