"""`xinmai show prices`: what the institutions of one prefecture last paid and asked for a drug, as Redis has it now."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from connectors.state_codec import unpack_market
from connectors.store import KEY_PREFIX, Store
from connectors.topology import partition_of, tags
from risk.facts.stock import price_shard_key
from risk.local_time import rfc3339, to_ms
from risk.market import Market, spread_of
from risk.prices import PRICED
from risk.yuan import yuan_x1000000
from streams.show import partitions_of
from streams.stop import Stop

if TYPE_CHECKING:
    from streams.settings import Settings

_SIDES = {"purchased": ("采购", "purchased"), "sold": ("销售", "sold")}


def run_prices(settings: "Settings", med_list_codg: str, region: str, *, as_json: bool) -> int:
    """Print the prices of a drug in a prefecture; exit 1 if nothing is known of them."""
    if not (len(region) == 4 and region.isascii() and region.isdigit()):
        raise Stop(
            f"地区应写作区划代码的前四位（地市），如 4305，而不是 {region}",
            f"a region is the first four digits of a prefecture's area code, such as 4305, not {region}",
        )
    partitions = partitions_of(settings, settings.topics.subjects)
    store = Store(settings.redis)
    try:
        body = prices_of(store, partitions, med_list_codg, region)
    finally:
        store.close()
    sys.stdout.buffer.write(orjson.dumps(body) + b"\n" if as_json else words_of(body).encode())
    return 0


def prices_of(store: Store, partitions: int, med_list_codg: str, region: str) -> dict[str, Any]:
    """Both sides of the market, read together with their place in the log."""
    tag = tags("q", partitions)[partition_of(price_shard_key(med_list_codg), partitions)]
    key = f"{KEY_PREFIX}{tag}:m:{med_list_codg}"
    ((position, values),) = store.read([(tag, [(key, f"{region}/{movement}") for movement in PRICED])])
    if not any(values):
        raise _unknown(med_list_codg, region, sorted({name.partition("/")[0] for name, _ in store.hash_values(key)}))
    now = rfc3339(to_ms(datetime.now(UTC)))
    markets = {side: _shown(unpack_market(value)) for side, value in zip(PRICED, values, strict=True) if value}
    as_of = {"shard": tag.strip("{}"), "offset": position.offset, "time": now}
    return {"med_list_codg": med_list_codg, "region": region, "as_of": as_of, "prices_x1000000": markets}


def _unknown(med_list_codg: str, region: str, regions: list[str]) -> Stop:
    zh, en = f"没有 {med_list_codg} 在 {region} 的价格", f"no price of {med_list_codg} is known in {region}"
    if regions:
        known = ", ".join(regions)
        return Stop(f"{zh}；已知地区：{known}", f"{en}; it is known in: {known}", exit_code=1)
    return Stop(
        f"{zh}：请核对药品编码，并确认机构已上传 3503、3505 且 W01 或 E01 覆盖该药品（policy show W01）",
        f"{en}, nor elsewhere: check the code, and that institutions send 3503 or 3505 and that W01 or E01 asks for "
        f"this drug (policy show W01)",
        exit_code=1,
    )


def _shown(market: Market) -> dict[str, Any]:
    alerts = [
        {"rule_id": each.rule_id, "level": each.level, "since_event": each.crossing_id}
        | ({"fixmedins_code": each.place} if each.place else {})
        for each in market.episodes
    ]
    spread = spread_of(market)
    ranks = spread._asdict() if spread.members else {"members": 0}  # of no price there is none, not even 0
    return {**ranks, "newest": rfc3339(market.newest_ms), "open_alerts": alerts}


def words_of(body: dict[str, Any]) -> str:
    """The same for people, in yuan; a side without a price (all were withdrawn) has no median."""
    as_of = body["as_of"]
    lines = [f"{body['med_list_codg']}  {body['region']}  {as_of['shard']}@{as_of['offset']}  {as_of['time']}"]
    for side, of in body["prices_x1000000"].items():
        zh, en = _SIDES[side]
        told = f"{of['members']} 家机构 institutions, {len(of['open_alerts'])} 条预警 open alerts, {of['newest']}"
        lines.append(f"{zh} {en}: {told}")
        if of["members"]:
            p10, p25, p50, p75, p90 = (yuan_x1000000(of[rank]) for rank in ("p10", "p25", "p50", "p75", "p90"))
            lines.append(f"  中位价 median {p50} 元 yuan; 25-75%: {p25} - {p75}; 10-90%: {p10} - {p90}")
    return "\n".join(lines) + "\n"
