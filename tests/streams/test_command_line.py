"""The command line: every command of the contract is there, explains itself, fails in one line, with the right code."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from streams.bench import NAMES
from streams.city.labels import Label
from streams.command_line import run
from streams.command_words import called_as

SHIPPED = Path(__file__).parents[2] / "config" / "policies" / "shaoyang"
COMMANDS = [
    "up", "demo", "worker", "api", "topics create", "topics check", "ingest", "alerts", "alerts suppress",
    "alerts unsuppress", "alerts suppressions", "alerts ack", "alerts verdict", "alerts precision", "deadletters list",
    "deadletters retry", "orders pause", "orders resume", "show person", "show institution", "show staff",
    "show prices", "policy check", "policy show", "policy activate", "fold activate", "simulate city", "bench",
    "verify", "rebuild", "replay",
]  # fmt: skip


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """No engine: no addresses, and no .xinmai/up.json in the directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("XINMAI_KAFKA", "XINMAI_REDIS", "XINMAI_API", "XINMAI_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_contract_explains_itself(command: str, capsys: pytest.CaptureFixture[str]):
    assert run([*command.split(), "--help"]) == 0
    assert command.split()[-1] in capsys.readouterr().out


def test_help_loads_no_kafka_and_no_redis():
    script = (
        "import sys, streams.command_line; print([m for m in ('confluent_kafka', 'redis', 'rich') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "words", [["nonsense"], ["ingest"], ["simulate", "city", "--people", "many"], ["bench", "nonsense"]]
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(words: list[str], capsys: pytest.CaptureFixture[str]):
    assert run(words) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert error.startswith("xinmai: ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "prices"], "Try: xinmai show prices --help\n"),
        (["polcy"], "fold … Try: xinmai --help\n"),
        (["ingest", "-", "--format", "natonal"], '"national"? Try: xinmai ingest --help\n'),
        (["demo", "--seconds", "-3"], "Must be > 0. Try: xinmai demo --help\n"),
    ],
)
def test_a_wrong_command_line_is_a_clean_sentence_and_points_to_the_help_of_its_command(words, said, capsys):
    assert run(words) == 2
    assert capsys.readouterr().err.endswith(said)


@pytest.mark.parametrize(
    ("words", "file", "form"),
    [
        (["-"], "-", "canonical"),
        (["-", "--format", "national"], "-", "national"),
        (["--format", "national", "--json", "-"], "-", "national"),
        (["--", "-"], "-", "canonical"),
        (["/dev/stdin"], "/dev/stdin", "canonical"),
    ],
)
def test_a_dash_is_stdin_for_ingest(words, file, form, monkeypatch):
    monkeypatch.setenv("XINMAI_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("XINMAI_REDIS", "redis://127.0.0.1:1/0")
    asked = []
    monkeypatch.setattr("streams.ingest.run_ingest", lambda _, file, format, as_json: asked.append((file, format)) or 0)
    assert run(["ingest", *words]) == 0
    assert asked == [(file, form)]


def test_a_dash_is_the_statement_on_stdin(monkeypatch):
    monkeypatch.setenv("XINMAI_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("XINMAI_REDIS", "redis://127.0.0.1:1/0")
    asked = []
    monkeypatch.setattr("streams.reconcile.run_reconcile", lambda _, **words: asked.append(words["statement"]) or 0)
    assert run(["orders", "reconcile", "--date", "2026-01-01", "--statement", "-"]) == 0
    assert asked == [Path("-")]


def test_a_city_on_stdout_leaves_what_stands_at_stdin_alone(tmp_path):
    kept = tmp_path / "kept.txt"
    kept.write_text("precious\n")
    command = [sys.executable, "-m", "streams.command_line", "simulate", "city", "--people", "5", "--institutions", "4",
               "--plants", "0", "--out", "-"]  # fmt: skip
    with kept.open() as stdin:
        done = subprocess.run(command, stdin=stdin, capture_output=True, check=True)
    assert orjson.loads(done.stdout.splitlines()[0])["event_type"]
    assert kept.read_text() == "precious\n"


@pytest.mark.parametrize("words", [["show", "person", "-"], ["ingest", "-", "-"], ["-"]])
def test_a_dash_that_stands_for_nothing_is_a_wrong_command_line(words, capsys: pytest.CaptureFixture[str]):
    assert run(words) == 2
    assert capsys.readouterr().err.startswith("xinmai: 命令行参数有误")


def test_a_command_that_is_named_works_where_the_reader_stands(tmp_path, monkeypatch):
    program = tmp_path / "xinmai"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.argv", [str(program), "demo"])
    monkeypatch.setenv("PATH", "/nowhere")
    assert called_as() == str(program)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert called_as() == "xinmai"


def test_a_region_is_four_digits_of_a_prefecture(monkeypatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("XINMAI_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("XINMAI_REDIS", "redis://127.0.0.1:1/0")
    for region in ("abcd", "43", "430500"):
        assert run(["show", "prices", "XA01", region]) == 2
        assert "first four digits" in capsys.readouterr().err


def test_the_help_of_bench_names_every_bench(capsys: pytest.CaptureFixture[str]):
    assert run(["bench", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert ", ".join(NAMES) in shown


@pytest.mark.parametrize("words", [["alerts"], ["topics", "check"], ["orders", "pause"], ["show", "person", "x"]])
def test_without_an_engine_a_command_says_so_and_ends_with_2(words: list[str], capsys: pytest.CaptureFixture[str]):
    assert run(words) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert "XINMAI_" in error


@pytest.fixture
def bad_policy(tmp_path):
    directory = tmp_path / "policy"
    directory.mkdir()
    for path in SHIPPED.glob("*.toml"):
        text = path.read_text(encoding="utf-8")
        text = text.replace("value.threshold_fen", "value.treshold_fen").replace("[[bundle]]", "[[bundel]]")
        (directory / path.name).write_text(text, encoding="utf-8")
    return directory


def test_a_bad_policy_is_explained_error_by_error(bad_policy, capsys: pytest.CaptureFixture[str]):
    assert run(["policy", "check", str(bad_policy), "--json"]) == 1
    found = orjson.loads(capsys.readouterr().out)
    assert not found["usable"]
    assert [problem.partition(":")[0] for problem in found["problems"]] == ["orders.toml", *["rules.toml"] * 3]
    assert "bundle" in found["problems"][0]
    assert "P13 from 2023-01-01.value lacks threshold_fen" in found["problems"][1]
    assert "P13 from 2026-01-01.value lacks threshold_fen" in found["problems"][2]
    assert "P13 from 2026-02-01.value lacks threshold_fen" in found["problems"][3]
    assert 'Is "treshold_fen" meant for it?' in found["problems"][1]


@pytest.mark.parametrize(("words", "code"), [(["policy", "show", "--directory"], 1), (["replay", "--policy"], 2)])
def test_with_a_bad_policy_other_commands_say_so_in_one_line(
    words: list[str], code: int, bad_policy, monkeypatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("XINMAI_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("XINMAI_REDIS", "redis://127.0.0.1:1/0")
    assert run([*words, str(bad_policy)]) == code
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert "4 problems" in error
    assert "policy check" in error


def test_a_policy_without_rules_is_usable_and_said_to_have_none(tmp_path, capsys: pytest.CaptureFixture[str]):
    for path in SHIPPED.glob("*.toml"):
        if path.name != "rules.toml":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    assert run(["policy", "check", str(tmp_path)]) == 0
    told = capsys.readouterr()
    assert "usable:" in told.out
    assert "没有任何规则" in told.err
    assert "no rule in it" in told.err
    assert run(["policy", "check", str(SHIPPED)]) == 0
    assert not capsys.readouterr().err


def test_policy_show_prints_the_sources_of_a_day(capsys: pytest.CaptureFixture[str]):
    assert run(["policy", "show", "--day", "2024-05-01", "--json"]) == 0
    document = orjson.loads(capsys.readouterr().out)
    assert document["day"] == "2024-05-01"
    assert all(term["document"] and term["article"] for term in document["terms"])


def test_policy_show_says_which_files_it_reads_and_that_an_engine_may_go_by_others(
    tmp_path, capsys: pytest.CaptureFixture[str]
):
    for path in SHIPPED.glob("*.toml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for words in (["policy", "show"], ["policy", "show", "P13"]):
        assert run([*words, "--directory", str(tmp_path)]) == 0
        shown = capsys.readouterr().out
        assert f"取自 {tmp_path}" in shown
        assert "what was activated last" in shown


def test_policy_show_explains_one_rule_with_an_example_and_its_history(capsys: pytest.CaptureFixture[str]):
    assert run(["policy", "show", "p13", "--day", "2024-05-01"]) == 0
    shown = capsys.readouterr().out
    assert "一笔 2,000.00 元：预警；1,999.99 元：不预警。" in shown
    assert "当前 in force" in shown
    assert run(["policy", "show", "P999"]) == 2
    assert "P13" in capsys.readouterr().err


def test_a_city_is_written_with_its_labels(tmp_path, capsys: pytest.CaptureFixture[str]):
    out, labels = tmp_path / "city.ndjson", tmp_path / "labels.ndjson"
    words = [
        "--people",
        "200",
        "--institutions",
        "4",
        "--start",
        "2026-03-01",
        "--out",
        str(out),
        "--labels",
        str(labels),
    ]
    assert run(["simulate", "city", *words]) == 0
    assert "a city from 2026-03-01 on" in capsys.readouterr().out
    assert run(["simulate", "city", *words, "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out)["lines"] == len(out.read_bytes().splitlines())
    assert set(orjson.loads(labels.read_bytes().splitlines()[0])) == set(Label._fields)


def test_a_rule_that_nobody_has_is_no_peaceful_answer(monkeypatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("XINMAI_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("XINMAI_REDIS", "redis://127.0.0.1:1/0")
    assert run(["alerts", "--rule", "P99"]) == 2
    error = capsys.readouterr().err
    assert "P99" in error
    assert "L100" in error


def test_a_city_of_the_future_is_refused_before_it_begins(monkeypatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("XINMAI_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("XINMAI_REDIS", "redis://127.0.0.1:1/0")
    assert run(["simulate", "city", "--people", "10", "--into", "kafka", "--start", "2999-01-01"]) == 2
    assert "2999-01-01" in capsys.readouterr().err
