"""The dictionary of connectors/stored_bytes.py, made from a city's values: `python -m benchmarks.value_dictionary 2`.

Its number is the next one; the file of an older one stays, for what was packed with it.
"""

import sys
from datetime import date
from pathlib import Path

import zstandard

from benchmarks.both_hops import BothHops, city_facts, policy_texts
from connectors import stored_bytes
from risk.local_time import day_of
from streams.city.plan import CityPlan

BYTES = 8_192


def city_values(plan: CityPlan) -> list[bytes]:
    """What a small county leaves in both hops."""
    hops = BothHops(policy_texts("shaoyang"))
    for _ in hops.fold(city_facts(plan)):
        pass
    return [
        value
        for shard in (hops.people, hops.subjects)
        for (key, _), value in {**dict(shard.values.everything()), **shard.take_changes()}.items()
        if len(value) >= stored_bytes.PACKED_FROM and not key.endswith(":policy")
    ]


def county(seed: int, *, people: int, days: int = 300, plants: int = 1) -> CityPlan:
    """Thirty in a hundred with credit, from the first of March 2026 on."""
    first_day = day_of(date(2026, 3, 1))
    return CityPlan(
        people=people, institutions=12, first_day=first_day, days=days, seed=seed, plants=plants, signed_percent=30
    )


def main(number: int) -> None:
    """Train it, and say what it does to values of another city."""
    seen = city_values(county(1, people=1_200))
    trained = zstandard.train_dictionary(BYTES, seen, dict_id=number, level=stored_bytes.LEVEL)
    path = Path(stored_bytes.__file__).with_name(f"values.{number}.zdict")
    path.write_bytes(trained.as_bytes())
    pack = zstandard.ZstdCompressor(level=stored_bytes.LEVEL, dict_data=trained).compress
    values = city_values(county(2, people=400))
    before, after = sum(map(len, values)), sum(len(pack(value)) for value in values)
    print(f"{path.name}: {len(values)} values of another city, {before} bytes, packed {after} ({after / before:.0%})")


if __name__ == "__main__":
    main(int(sys.argv[1]))
