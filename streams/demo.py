"""`xinmai demo`: `up`, a day of real-shaped national messages, three scripted patients, a city, and a live view.

Everything shown has an id that kcat finds on its topic; at the end those ids are printed, with what to look at.
"""

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

from rich.console import Console
from rich.live import Live

from connectors.topology import Topics
from risk.local_time import local_day, to_ms
from streams.city.plan import CityPlan
from streams.city.traffic import IntoHttp, Traffic
from streams.command_words import called_as
from streams.demo_patients import play
from streams.demo_view import Screen, Seen
from streams.logging_setup import log_to_stderr
from streams.policy_commands import read_policy
from streams.stop import Stop
from streams.topic_reader import bodies
from streams.up import HOME, NOTE_EN, NOTE_ZH, Program, Up, running_engine

SAMPLES = Path(__file__).resolve().parents[1] / "tests" / "cases" / "national"
CITY_S = 120.0
CITY_DAYS = 2
LOOK = """While this runs: {api}/ is the console, {api}/openapi.json what the API takes and answers,
{api}/metrics for Prometheus; in this folder: {xinmai} alerts --follow · {xinmai} show institution H43050200001"""
FIND_ONE = "自己查 find it: kcat -b {kafka} -t TOPIC -C -e -q | grep ID"
TOPIC_OF = {
    "settlement": "events",
    "alert": "alerts",
    "over-limit alert": "alerts",
    "approve authorization": "decisions",
    "deny authorization": "decisions",
    "order": "withholding",
    "bank result": "events",
}
"""What must be seen, and the topic on which its id is found."""


def run_demo(*, seconds: float | None, as_json: bool) -> int:
    """Run until Ctrl-C or for so many seconds; exit 1 if something that should be seen was not."""
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    log_to_stderr()
    console = Console(stderr=as_json)
    with running_engine(stopped) as (up, programs):
        seen = Seen()
        threads = _start(up, seen, stopped, seconds)
        until_s = None if seconds is None else time.monotonic() + seconds
        _show(console, up, seen, _ticks(programs, stopped, until_s))
        stopped.set()
        for thread in threads:
            thread.join(5)
    _farewell(console, up, seen, as_json)
    if seen.broken:
        raise Stop("演示中断", f"the demo broke off: {seen.broken[0]!r}") from seen.broken[0]
    missing = [what for what in TOPIC_OF if what not in seen.firsts]
    if missing and seconds is not None:
        console.print(f"not seen within {seconds:.0f} s: {', '.join(missing)}", style="red")
        return 1
    return 0


def _start(up: Up, seen: Seen, stopped: Event, seconds: float | None) -> list[Thread]:
    """Listeners first, then what they shall hear. What breaks one of them ends the demo."""

    def run(job: Callable[[], None]) -> None:
        try:
            job()
        except Exception as error:
            if not stopped.is_set():  # at the end the engine goes first
                seen.broken.append(error)
                stopped.set()

    topics = Topics()
    heard: dict[str, Callable[[dict[str, Any]], None]] = {
        topics.alerts: seen.alert,
        topics.decisions: seen.decision,
        topics.withholding: seen.order,
        topics.events: seen.fact,
    }
    jobs: list[Callable[[], None]] = [_listener(up, topic, hear, stopped) for topic, hear in heard.items()]
    jobs.append(lambda: _stories(up, seen, stopped))
    jobs.append(lambda: _city(up, seen, stopped, min(CITY_S, 0.8 * seconds) if seconds else CITY_S))
    threads = [Thread(target=run, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    return threads


def _listener(up: Up, topic: str, hear: Callable[[dict[str, Any]], None], stopped: Event) -> Callable[[], None]:
    def listen() -> None:
        for body in bodies(up.kafka, topic, newest=None, follow=True, is_stopped=stopped.is_set):
            hear(body)

    return listen


def _stories(up: Up, seen: Seen, stopped: Event) -> None:
    """The sample files of a hospital and a pharmacy, then the patients at the counter, again every half minute."""
    with closing(IntoHttp(up.api, up.token)) as engine:
        for path in sorted(SAMPLES.glob("*.jsonl")):
            lines = [line for line in path.read_bytes().splitlines() if line.strip()]
            results = engine.post("national", lines)
            with seen.lock:
                seen.counts.update({("sample lines", result): count for result, count in results.items()})
        run = 0
        while not stopped.is_set():
            tag = f"{int(time.time()) % 1_000_000:06d}"
            play(engine, lambda what, body: _told(seen, what, body), run=tag, institution=up.institution)
            run += 1
            stopped.wait(30)


def _told(seen: Seen, what: str, body: dict[str, Any]) -> None:
    if what == "settlement":
        seen.note("settlement", body["event_id"])
    elif what == "trouble":
        with seen.lock:
            seen.counts["trouble", str(body["results"])] += 1


def _city(up: Up, seen: Seen, stopped: Event, lasts_s: float) -> None:
    """Yesterday and the day before, in fast motion; then again with other people."""
    today = local_day(to_ms(datetime.now(UTC)))
    workdays = read_policy(None).workdays
    seed = 1
    with closing(IntoHttp(up.api, up.token)) as engine:
        while not stopped.is_set():
            plan = CityPlan(
                people=1_200,
                institutions=24,
                first_day=today - CITY_DAYS,
                days=CITY_DAYS,
                seed=seed,
                visits_per_year=150,
            ).with_years_of(workdays)
            speed = CITY_DAYS * 86_400 / lasts_s
            pace: dict[str, Any] = {
                "speed": speed,
                "is_stopped": stopped.is_set,
                "now_ms": lambda: to_ms(datetime.now(UTC)),
            }
            Traffic(plan, engine, form="national", **pace).run()
            seed += 1


def _show(console: Console, up: Up, seen: Seen, ticks: Iterator[None]) -> None:
    headline = f"信脉 Xinmai · API and console {up.api} (token: {HOME}/up.json) · Kafka {up.kafka}"
    note = f"{NOTE_ZH} {NOTE_EN}" if up.embedded else ""
    if console.is_terminal:

        def finding(firsts: dict[str, str]) -> str:
            return "\n".join(_command(up, what, firsts[what]) for what in TOPIC_OF if what in firsts)

        one = FIND_ONE.format(kafka=up.kafka)
        with Live(Screen(seen, headline, note), console=console, auto_refresh=False, screen=True) as live:
            for _ in ticks:
                live.update(Screen(seen, headline, note, finding, find_one=one), refresh=True)
        return
    console.print(f"{headline}\n{note}", highlight=False, soft_wrap=True)
    console.print(LOOK.format(api=up.api, xinmai=called_as()), highlight=False, soft_wrap=True)
    said: frozenset[str] = frozenset()
    for _ in ticks:
        said = _say_firsts(console, up, seen, said)
    for line in Screen(seen, headline, note).on_paper():
        console.print(line, highlight=False, soft_wrap=True)


def _ticks(programs: list[Program], stopped: Event, until_s: float | None) -> Iterator[None]:
    """Four times a second until the end; a child that dies by itself is the end too, and says why."""
    while not stopped.wait(0.25) and (until_s is None or time.monotonic() < until_s):
        for program in programs:
            if not program.running:
                raise Stop(f"{program.name} 意外退出：{program.tail()}", f"{program.name} ended, see {program.log}")
        yield


def _say_firsts(console: Console, up: Up, seen: Seen, said: frozenset[str]) -> frozenset[str]:
    """Where nobody can watch a screen: the first of each kind as a line, while kcat still finds it."""
    with seen.lock:
        firsts = dict(seen.firsts)
    for what in firsts.keys() - said:
        console.print(_found(up, what, firsts[what]), highlight=False, soft_wrap=True)
    return frozenset(firsts)


def _found(up: Up, what: str, key: str) -> str:
    return f"  {what}: {key}\n    {_command(up, what, key)}"


def _command(up: Up, what: str, key: str) -> str:
    return f"kcat -b {up.kafka} -t {getattr(Topics(), TOPIC_OF[what])} -C -e -q | grep {key}"


def _farewell(console: Console, up: Up, seen: Seen, as_json: bool) -> None:
    """After the servers have ended: what was there, and how to have it again."""
    with seen.lock:
        firsts, counts = dict(seen.firsts), dict(seen.counts)
    if as_json:
        told = {f"{what} {kind}": count for (what, kind), count in counts.items()}
        print(json.dumps({"api": up.api, "kafka": up.kafka, "ids": firsts, "counts": told}, ensure_ascii=False))
    console.print("\n曾在主题上 / seen on the topics while this ran:", style="bold")
    for what in TOPIC_OF:
        if what in firsts:
            line = f"  {what}: {firsts[what]}  ({getattr(Topics(), TOPIC_OF[what])})"
            console.print(line, highlight=False, soft_wrap=True)
    if up.embedded:
        console.print("服务已随程序结束 / broker and Redis have ended with this program, and forgot.", highlight=False)
    following = f"下一步 / next: {called_as()} up, then README.md, “Send one settlement by hand”."
    console.print(following, highlight=False, soft_wrap=True)
