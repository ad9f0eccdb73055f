"""The real Alertmanager with our configuration: groups by institution, and a closing resolves what it closes."""

import asyncio
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from connectors.notify import Alertmanager
from connectors.server_process import free_ports

CONFIG = Path(__file__).parents[2] / "config" / "prometheus" / "alertmanager.yml"
BINARY = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    if BINARY is None:
        pytest.skip("NOT TESTED: no alertmanager (Debian: apt-get install prometheus-alertmanager)")
    (port,) = free_ports(1)
    command = [
        BINARY, f"--config.file={CONFIG}", f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
        f"--storage.path={tmp_path}",
    ]  # fmt: skip
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            address = f"http://127.0.0.1:{port}"
            _until(lambda: httpx.get(f"{address}/-/ready").status_code == 200)
            yield address
        finally:
            server.terminate()


def _until(is_so, wait_s: float = 30.0) -> None:
    deadline_s = time.monotonic() + wait_s
    while True:
        try:
            if is_so():
                return
        except httpx.HTTPError:
            pass
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def alert(number: int, **over) -> dict:
    body = {"alert_id": f"al_{number}", "rule_id": "D01", "level": 1, "kind": "suspicion", "sev_deg": 3}
    return {**body, "subject_kind": "institution", "subject_id": "H1", "episode": "opened", **over}


def _tell(url: str, *alerts: dict) -> None:
    async def tell() -> None:
        manager = Alertmanager(url, console_url="http://console")
        try:
            await manager.tell(alerts)
        finally:
            await manager.close()

    asyncio.run(tell())


def _groups(url: str) -> dict[tuple[tuple[str, str], ...], list[str]]:
    """What stands in each group: its labels → the ids of its alerts."""
    return {
        tuple(sorted(group["labels"].items())): sorted(each["labels"]["alert_id"] for each in group["alerts"])
        for group in httpx.get(f"{url}/api/v2/alerts/groups").json()
    }


def test_an_institution_is_one_message_of_all_its_rules_and_people_are_one_per_rule(url: str) -> None:
    person = {"subject_kind": "person", "subject_id": "p1_x"}
    _tell(url, alert(1), alert(2, rule_id="H05"), alert(3, subject_id="H2"))
    _tell(url, alert(4, rule_id="P01", **person), alert(5, rule_id="P01", **person), alert(6, rule_id="P03", **person))
    expected = {
        (("subject_id", "H1"),): ["al_1", "al_2"],
        (("subject_id", "H2"),): ["al_3"],
        (("alertname", "xinmai_P01"),): ["al_4", "al_5"],
        (("alertname", "xinmai_P03"),): ["al_6"],
    }
    _until(lambda: _groups(url) == expected)
    _tell(url, alert(1, episode="closed"))
    _until(lambda: _groups(url)[("subject_id", "H1"),] == ["al_2"])
