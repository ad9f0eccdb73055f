"""What a process is told, from where, and how it says that something is missing."""

import json
import os
from pathlib import Path

import pytest

from connectors.bank import BankAccess
from connectors.bank_simulator import SIMULATOR_SECRET
from streams.banks import named_banks, other_banks
from streams.settings import SOURCE, Address, Settings, load_settings
from streams.stop import Stop

HERE = {"XINMAI_KAFKA": "127.0.0.1:9092", "XINMAI_REDIS": "redis://127.0.0.1:6379/0"}
NOWHERE = Path("/nonexistent/up.json")


def _load(**told: str) -> Settings:
    return load_settings(HERE | told, up_file=NOWHERE)


def _up_file(folder: Path, pid: int, **more: str) -> Path:
    path = folder / "up.json"
    running = {"kafka": "127.0.0.1:1", "redis": "redis://up", "api": "http://127.0.0.1:7", "token": "t", "pid": pid}
    path.write_text(json.dumps(running | more))
    return path


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = _load()
    assert settings.clock == "wall"
    assert settings.topics.events == "xinmai.events.v1"
    assert settings.policy_dir.parts[-2:] == ("policies", "shaoyang")
    assert settings.lanes == 1
    assert settings.pseudonym_key is None
    assert settings.partitions == 4


def test_missing_addresses_are_named_in_one_line() -> None:
    with pytest.raises(Stop, match="set XINMAI_KAFKA, XINMAI_REDIS, or start xinmai up") as stopped:
        load_settings({}, up_file=NOWHERE)
    assert stopped.value.exit_code == 2
    assert "\n" not in str(stopped.value)
    with pytest.raises(Stop, match="set XINMAI_REDIS,"):
        load_settings({"XINMAI_KAFKA": "127.0.0.1:1"}, up_file=NOWHERE)


def test_a_command_may_need_kafka_alone() -> None:
    assert load_settings({"XINMAI_KAFKA": "127.0.0.1:1"}, up_file=NOWHERE, needs=("kafka",)).redis == ""


def test_a_running_up_is_found(tmp_path: Path) -> None:
    settings = load_settings({"XINMAI_TOKEN": "mine"}, up_file=_up_file(tmp_path, os.getpid(), clock="log"))
    assert (settings.kafka, settings.redis, settings.token) == ("127.0.0.1:1", "redis://up", "mine")
    assert settings.clock == "log"
    assert settings.listen == Address("127.0.0.1", 7)


def test_an_up_that_is_gone_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="set XINMAI_KAFKA"):
        load_settings({}, up_file=_up_file(tmp_path, 2**22 + 1))


def test_two_worlds_are_never_mixed(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="set XINMAI_REDIS,"):
        load_settings({"XINMAI_KAFKA": "127.0.0.1:2"}, up_file=_up_file(tmp_path, os.getpid()))


def test_the_bank_simulator_of_a_running_up_is_found_with_its_word(tmp_path: Path) -> None:
    up_file = _up_file(tmp_path, os.getpid(), bank="http://127.0.0.1:9")
    assert other_banks(load_settings({}, up_file=up_file)) == BankAccess(
        url="http://127.0.0.1:9", secret=SIMULATOR_SECRET
    )
    own = load_settings({"XINMAI_BANK": "http://bank", "XINMAI_BANK_SECRET": "own"}, up_file=up_file)
    assert other_banks(own) == BankAccess(url="http://bank", secret="own")
    with pytest.raises(Stop, match="XINMAI_BANK_SECRET"):
        other_banks(load_settings({"XINMAI_BANK": "http://bank"}, up_file=up_file))
    assert other_banks(load_settings(HERE, up_file=up_file)) is None
    assert other_banks(load_settings({}, up_file=_up_file(tmp_path, os.getpid(), bank="http://bank"))) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("XINMAI_CLOCK", "sun"),
        ("XINMAI_LANES", "0"),
        ("XINMAI_PARTITIONS", "-3"),
        ("XINMAI_LISTEN", "8080"),
        ("XINMAI_SANDBOX", "no"),
        ("XINMAI_SANDBOX", "false"),
    ],
)
def test_a_senseless_value_is_named(name: str, value: str) -> None:
    with pytest.raises(Stop, match=f"{name} is '{value}', expected"):
        _load(**{name: value})


def test_without_a_key_only_a_sandbox_starts() -> None:
    with pytest.raises(Stop, match="XINMAI_PSEUDONYM_KEY"):
        _load(XINMAI_KAFKA="kafka.city:9092")
    assert _load(XINMAI_KAFKA="kafka.city:9092", XINMAI_SANDBOX="1").pseudonym_key is None
    assert _load(XINMAI_KAFKA="kafka.city:9092", XINMAI_PSEUDONYM_KEY="k" * 32).pseudonym_key == "k" * 32


def test_a_sandbox_that_is_refused_by_hand_is_none_on_loopback_either() -> None:
    assert _load(XINMAI_SANDBOX="").pseudonym_key is None
    assert load_settings({"XINMAI_SANDBOX": "0"}, up_file=NOWHERE, needs=()).kafka == ""  # no log, no numbers
    with pytest.raises(Stop, match="XINMAI_PSEUDONYM_KEY"):
        _load(XINMAI_SANDBOX="0")
    assert _load(XINMAI_SANDBOX="0", XINMAI_PSEUDONYM_KEY="k" * 32).pseudonym_key == "k" * 32


def test_secrets_are_not_printed() -> None:
    assert "hush" not in repr(_load(XINMAI_PSEUDONYM_KEY="hush" * 8, XINMAI_TOKEN="hush", XINMAI_BANK_SECRET="hush"))


def test_the_shipped_tuning_is_read_and_an_unknown_key_refused(tmp_path: Path) -> None:
    assert _load(XINMAI_CONFIG=str(SOURCE / "config"), XINMAI_REPLICATION="1").replication == 1
    (tmp_path / "settings.toml").write_text("[lane]\nbatch_records_max = 10\n")
    assert _load(XINMAI_CONFIG=str(tmp_path)).tuning.batch_records_max == 10
    for wrong in (
        "[lane]\nbatch_max = 10\n",
        "[lanes]\nbatch_records_max = 10\n",
        "[lane]\nbatch_records_max = 'x'\n",
        "x",
    ):
        (tmp_path / "settings.toml").write_text(wrong)
        with pytest.raises(Stop, match=r"settings\.toml"):
            _load(XINMAI_CONFIG=str(tmp_path))


def test_two_lanes_have_two_stable_names() -> None:
    settings = _load(XINMAI_WORKER="w1")
    assert [settings.member(0), settings.member(1)] == ["w1-0", "w1-1"]


def test_banks_have_entries_of_their_own_beside_the_gateway_of_all_others(tmp_path):
    path = tmp_path / "banks.toml"
    told = {"XINMAI_KAFKA": "127.0.0.1:1", "XINMAI_REDIS": "redis://x", "XINMAI_BANKS": str(path)}
    path.write_text('[[banks]]\nbank_code = "BCM"\nurl = "http://bcm"\nsecret = "s1"\n')
    settings = load_settings(told, up_file=tmp_path / "none")
    assert {code: bank.url for code, bank in named_banks(settings).items()} == {"BCM": "http://bcm"}
    assert "s1" not in repr(named_banks(settings))
    assert other_banks(settings) is None
    path.write_text('[[banks]]\nbank_code = "BCM"\nurl = "http://bcm"\n')
    with pytest.raises(Stop, match="needs secret"):
        named_banks(settings)
    path.write_text('[[banks]]\nbank_code = "BCM"\nurl = "http://bcm"\nsecret = "s"\nkey = "s"\n')
    with pytest.raises(Stop, match="unknown keys"):
        named_banks(settings)
