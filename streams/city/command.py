"""`xinmai simulate city`: a plan from the command line, written as lines or sent into the running engine."""

import sys
import time
from collections import Counter
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from risk.local_time import local_day, to_date, to_ms
from streams.city.plan import CityPlan, first_day_of
from streams.city.stream import Deliveries, expectations, label_record
from streams.city.traffic import Engine, IntoHttp, IntoKafka, Traffic, spelled
from streams.policy_commands import read_policy
from streams.stop import Stop


def plan_from(*, start: str | None, days: int, **rest: Any) -> CityPlan:
    """The plan beside the configured policy; without a start its last day is yesterday."""
    try:
        plan = CityPlan(first_day=first_day_of(start, days, local_day(to_ms(datetime.now(UTC)))), days=days, **rest)
    except ValueError as error:
        raise Stop(f"模拟城市的参数有误：{error}", f"no such city: {error}") from error
    return plan.with_years_of(read_policy(None).workdays)


def run_city(
    plan: CityPlan, *, form: str, out: str, labels_file: Path | None, into: str | None, speed: float, as_json: bool
) -> int:
    """Write or send the city; say what it was."""
    if labels_file is not None:
        with labels_file.open("wb") as sink:
            sink.writelines(orjson.dumps(label_record(label)) + b"\n" for label in expectations(plan))
    began_s = time.monotonic()
    turned_away: Counter[str] = Counter()
    if into is None:
        counts = _write(plan, form, out, speed)
        answer: dict[str, Any] = {"lines": sum(counts.values()), **counts}
    else:
        traffic, turned_away = _send(plan, form, into, speed)
        answer = {"results": dict(traffic.counts), "decisions": dict(traffic.decisions)}
        answer |= {"refused": dict(turned_away)} if turned_away else {}
        answer |= {"not_yet": traffic.not_yet} if traffic.not_yet else {}  # patients who are still in hospital
    answer |= {"first_day": to_date(plan.first_day).isoformat(), "seconds": round(time.monotonic() - began_s, 3)}
    # stdout may carry the city itself; what was done is then said beside it
    said = orjson.dumps(answer).decode() if as_json else _sentence(answer)
    print(said, file=sys.stderr if into is None and out == "-" else sys.stdout)
    failed = sum(turned_away.values()) + sum(
        count for kind, count in answer.get("results", {}).items() if "http_" in kind
    )
    if failed:
        print(
            f"xinmai: {failed} 行未被接收（{dict(turned_away)}），原因见 xinmai deadletters list / "
            f"{failed} lines did not get in; xinmai deadletters list says why",
            file=sys.stderr,
        )
    return 1 if failed else 0


def _sentence(answer: dict[str, Any]) -> str:
    """What was done, kind by kind."""
    told = answer | answer.get("results", {}) | answer.get("decisions", {})
    counted = [f"{kind} {count}" for kind, count in told.items() if isinstance(count, int) and kind != "lines"]
    day, seconds = answer["first_day"], answer["seconds"]
    return f"模拟城市自 {day} 起 / a city from {day} on, in {seconds:.1f} s: {', '.join(counted) or 'nothing'}"


def _write(plan: CityPlan, form: str, out: str, speed: float) -> Counter[str]:
    counts: Counter[str] = Counter()
    began_s = time.monotonic()
    with ExitStack() as stack:
        sink = sys.stdout.buffer if out == "-" else stack.enter_context(Path(out).open("wb"))
        for arrival_ms, happening in Deliveries(plan):
            if speed > 0 and arrival_ms > plan.start_ms:
                due_s = began_s + (arrival_ms - plan.start_ms) / 1000 / speed
                if (left_s := due_s - time.monotonic()) > 0:
                    sink.flush()
                    time.sleep(left_s)
            if form == "national" and happening.fact is not None:
                counts["not_national"] += 1  # a bank's or an authority's fact: no platform transaction says it
                continue
            for kind, line in spelled(happening, form):
                counts[kind] += 1
                sink.write(line + b"\n")
    return counts


def _send(plan: CityPlan, form: str, into: str, speed: float) -> tuple[Traffic, Counter[str]]:
    from streams.settings import load_settings

    settings = load_settings()
    _refuse_the_future(plan, settings.clock)
    with ExitStack() as stack:
        engine: Engine
        if into == "http":
            engine = stack.enter_context(closing(IntoHttp(settings.api, settings.token)))
        else:
            engine = IntoKafka(_intake(settings, stack))
        now_ms = None if settings.clock == "log" else lambda: to_ms(datetime.now(UTC))
        traffic = Traffic(plan, engine, form=form, speed=speed, now_ms=now_ms)
        traffic.run()
    return traffic, engine.reasons


def _refuse_the_future(plan: CityPlan, clock: str) -> None:
    """Under the wall clock the edge takes nothing that has not happened yet: better not to begin."""
    today = local_day(to_ms(datetime.now(UTC)))
    last = plan.first_day + plan.days - 1
    if clock == "wall" and last >= today:
        raise Stop(
            f"模拟的日子到 {to_date(last)} 才结束，引擎不接收未来的事件；请让最后一天早于今天（--start、--days），"
            "或以 XINMAI_CLOCK=log 启动引擎",
            f"the city lives until {to_date(last)} and the engine takes no event of the future. Let it end before "
            "today (--start, --days), or start the engine with XINMAI_CLOCK=log",
        )


def _intake(settings: Any, stack: ExitStack) -> Any:
    from connectors.append import Pen
    from connectors.intake import Intake
    from connectors.kafka import producer
    from streams.edges import open_edge
    from streams.pacing import Pacer

    pacer = stack.enter_context(Pacer(settings.redis, settings.topics.events))
    return Intake(
        Pen(lambda: producer(settings.kafka)), open_edge(settings), lag=pacer.lag, delivered=pacer.backlog.delivered
    )
