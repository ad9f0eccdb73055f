"""What operators rely on names only metrics that exist, and their rules wake them when they should."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from connectors.http.metrics import Metrics as ApiMetrics
from streams.metrics import Metrics as WorkerMetrics

ROOT = Path(__file__).resolve().parents[1]
DASHBOARD = ROOT / "config" / "grafana" / "dashboard.json"
RULES = ROOT / "config" / "prometheus" / "alert_rules.yml"


def _measured() -> set[str]:
    text = generate_latest(WorkerMetrics().registry).decode() + ApiMetrics().text().decode()
    families = re.findall(r"^# TYPE (xinmai_\w+) (\w+)$", text, re.MULTILINE)
    histograms = {
        f"{name}_{part}" for name, kind in families if kind == "histogram" for part in ("bucket", "count", "sum")
    }
    return {name for name, _ in families} | histograms


@pytest.mark.parametrize("path", [DASHBOARD, RULES], ids=lambda path: path.name)
def test_every_metric_asked_for_is_measured(path: Path) -> None:
    asked = set(re.findall(r"\bxinmai_\w*[a-z]\b", path.read_text()))
    assert asked - _measured() == set()


def test_the_dashboard_has_no_two_panels_in_one_place() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="NOT TESTED: no promtool (Debian: apt-get install prometheus)"
)
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "config/prometheus/prometheus.yml"),
        ("test", "rules", "tests/prometheus/alert_rules_test.yml"),
    ],
)
def test_prometheus_accepts_its_configuration(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
