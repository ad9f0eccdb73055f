"""What the demo shows: each id once, counted under its own name, with the first of each kind kept for the reader."""

from io import StringIO

from rich.console import Console
from rich.live import Live

from streams.demo_view import Screen, Seen, tallied


def alert(number: int, *, episode: str = "opened", kind: str = "suspicion") -> dict[str, object]:
    return {
        "alert_id": f"al_{number}", "episode": episode, "rule_id": "P13", "level": 1, "kind": kind,
        "occurred_at": "2026-03-01T00:00:00+08:00", "subject_kind": "person", "subject_id": "p", "vola_cont_zh": "大额",
    }  # fmt: skip


def decision(number: int, outcome: str) -> dict[str, object]:
    return {
        "decision_id": f"de_{number}",
        "kind": "authorization",
        "decision": outcome,
        "authorization_id": f"A{number}",
    }


def drawn(screen: Screen, *, width: int, height: int) -> list[str]:
    """The lines of a terminal of that size."""
    console = Console(width=width, height=height, file=StringIO())
    lines = console.render_lines(screen, console.options.update(height=height), pad=False)
    return ["".join(segment.text for segment in line).rstrip() for line in lines]


def test_a_record_that_comes_twice_is_counted_once_and_an_ending_apart_from_its_beginning():
    seen = Seen()
    for body in (alert(1), alert(1), alert(2), alert(1, episode="closed")):
        seen.alert(body)
    for body in (decision(1, "approve"), decision(1, "approve"), decision(2, "deny")):
        seen.decision(body)
    seen.fact({"event_type": "policy.activated"})
    seen.fact({"event_type": "visit.opened"})
    assert tallied(seen.counts).splitlines() == [
        "alerts closed: P13 1",
        "alerts opened: P13 2",
        "decisions: authorization approve 1 · authorization deny 1",
        "log: facts and requests 1 · the engine's own records 1",
    ]


def test_the_first_of_each_kind_stands_on_the_screen_with_the_way_to_find_it():
    seen = Seen()
    seen.alert(alert(1))
    seen.alert(alert(2, kind="over_limit"))
    seen.decision(decision(3, "deny"))
    assert seen.firsts == {"alert": "al_1", "over-limit alert": "al_2", "deny authorization": "A3"}
    console = Console(width=100, record=True, file=StringIO())
    console.print(Screen(seen, "headline", "note", lambda firsts: f"grep {firsts['alert']}"))
    assert "grep al_1" in console.export_text()


def test_on_a_narrow_and_low_screen_words_and_ids_stand_and_one_line_says_how_to_find_them():
    """The seven commands took 14 of 24 lines: no alert had words, decisions and orders were off the screen."""
    seen = Seen()
    alert_id, order_id, visit = "al_" + "a" * 32, "wh_" + "b" * 32, "H43050200001:" + "c" * 24
    command = f"kcat -b 127.0.0.1:40000 -t xinmai.alerts.v1 -C -e -q | grep {alert_id}"
    told = {"alert_id": alert_id, "vola_cont_zh": "大额" * 60, "subject_id": "43050010000000000030"}
    seen.alert(alert(1) | told)
    seen.decision(decision(1, "approve") | {"authorization_id": visit, "reasons": [{"code": "X" * 30}]})
    seen.order({"order_id": order_id, "attempt": 1, "kind": "withhold", "amount_fen": 100_000_000})
    headline = "信脉 Xinmai · API and console http://127.0.0.1:40000 (token: .xinmai/up.json) · Kafka 127.0.0.1:40001"
    screen = Screen(
        seen, headline, "note " * 50, lambda _firsts: "\n".join([command] * 7), find_one="find it: kcat | grep ID"
    )
    lines = drawn(screen, width=80, height=24)
    assert len(lines) <= 24
    for key in (alert_id, order_id, visit, "大额大额", "find it: kcat | grep ID"):
        assert any(key in line for line in lines), key
    lines = drawn(screen, width=160, height=60)
    assert sum(alert_id in line for line in lines) == 8, "with room enough every command, and the alert on one line"


def test_a_live_screen_knows_how_low_it_is():
    """Shown as the demo shows it: what stands around a renderable keeps its height from it."""
    seen, written = Seen(), StringIO()
    for number in range(9):
        seen.alert(alert(number) | {"vola_cont_zh": "大额" * 60})
        seen.order({"order_id": f"or_{number}", "attempt": 1, "kind": "draw", "amount_fen": 100})
    console = Console(width=80, height=24, file=written, force_terminal=True)
    with Live(console=console, auto_refresh=False, screen=True) as live:
        live.update(Screen(seen, "headline", "note", lambda _: "kcat\n" * 14, find_one="find it: kcat"), refresh=True)
    for words in ("al_8", "大额", "or_8", "find it: kcat"):
        assert words in written.getvalue()


def test_on_paper_every_line_is_whole():
    seen = Seen()
    seen.alert(alert(1) | {"vola_cont_zh": "大额" * 60})
    seen.decision(decision(1, "approve"))
    seen.order({"order_id": "or_1", "attempt": 1, "kind": "draw", "amount_fen": 100})
    lines = Screen(seen, "headline", "note").on_paper()
    assert any("大额" * 60 in line and "al_1" in line for line in lines)
    assert any("A1" in line for line in lines)
    assert any("or_1" in line for line in lines)


def test_on_a_low_screen_all_three_panels_are_there_and_each_says_how_much_of_it_is_not():
    seen = Seen()
    command = "kcat -b 127.0.0.1:40000 -t xinmai.alerts.v1 -C -e -q | grep " + "a" * 35
    for number in range(12):
        seen.alert(alert(number))
        seen.decision(decision(number, "approve"))
        seen.order({"order_id": f"or_{number}", "attempt": 1, "kind": "debit", "amount_fen": 100})
    screen = Screen(seen, "headline", "note", lambda _firsts: "\n".join([command] * 7))
    for height in (21, 22, 24, 30, 40, 60):
        text = drawn(screen, width=80, height=height)
        assert len(text) <= height
        rows = {name: sum(name in line and "xinmai" not in line for line in text) for name in ("al_", "A1", "or_")}
        assert min(rows.values()) >= 1, (height, text)
        assert sum("/ 12" in line for line in text) == 3, (height, text)
    assert rows["al_"] == 5, "and with room enough, five of each"
