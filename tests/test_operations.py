"""What operators rely on: dashboards and rules name metrics that exist, the image and compose.yaml what is there."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest

from connectors import codec
from connectors.http.metrics import SECONDS
from connectors.http.metrics import Metrics as ApiMetrics
from connectors.notify import labels
from streams.letter_count import REASONS
from streams.metrics import Metrics as WorkerMetrics

ROOT = Path(__file__).resolve().parents[1]
DASHBOARD = ROOT / "config" / "grafana" / "dashboard.json"
COMPOSE = ROOT / "compose.yaml"
RULES = ROOT / "config" / "prometheus" / "alert_rules.yml"
ALERTMANAGER = RULES.with_name("alertmanager.yml")


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


def test_slowness_is_judged_at_a_bound_that_is_measured() -> None:
    """Between two bounds a quantile is a guess: answers of 31 ms would be told as 59."""
    (owed_s,) = re.findall(r"xinmai_decision_duration_seconds_bucket.* > (\S+)", RULES.read_text())
    assert float(owed_s) in SECONDS


def test_every_reason_of_a_dead_letter_is_shown_before_its_first() -> None:
    code = "".join(
        path.read_text() for room in ("connectors", "risk", "streams") for path in (ROOT / room).rglob("*.py")
    )
    said = set(re.findall(r'\b(?:BadRecord|Refused)\(\s*"([A-Z_]+)"', code)) | {
        reason for _, reason, _ in codec._REASONS
    }
    assert said - REASONS == set()


CONTRACT = [
    "events_total", "decisions_total", "decision_duration_seconds", "alerts_total", "alert_latency_seconds",
    "event_lag_seconds", "consumer_lag_records", "commit_duration_seconds", "reclaims_total", "batch_events",
    "reply_wait_seconds", "holds_open", "hold_age_seconds", "orders_total", "deadletters_total",
    "event_loop_lag_seconds", "policy_info", "workday_table_days_left",
]  # fmt: skip


def test_every_metric_that_was_promised_is_measured() -> None:
    assert {f"xinmai_{name}" for name in CONTRACT} - _measured() == set()


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


@pytest.mark.skipif(
    shutil.which("amtool") is None, reason="NOT TESTED: no amtool (Debian: apt-get install prometheus-alertmanager)"
)
def test_alertmanager_accepts_its_configuration() -> None:
    command = ["amtool", "check-config", str(ALERTMANAGER)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alertmanager_groups_by_labels_that_the_engine_sends() -> None:
    alert = {"alert_id": "al_1", "rule_id": "D01", "level": 1, "kind": "suspicion", "sev_deg": 4}
    sent = labels({**alert, "subject_kind": "institution", "subject_id": "H1"})
    route = yaml.safe_load(ALERTMANAGER.read_text(encoding="utf-8"))["route"]
    institutions, urgent = route["routes"]
    assert institutions["group_by"] == ["subject_id"]
    for each in (route, institutions):
        assert set(each["group_by"]) <= sent.keys()
    for matcher in (*institutions["matchers"], *urgent["matchers"]):
        name, _, value = re.match(r'(\w+) (=~?) "(.+)"', matcher).groups()
        assert re.fullmatch(value, sent[name])


def _services() -> dict[str, dict]:
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]


def test_compose_sets_only_variables_that_are_read() -> None:
    told = {name for service in _services().values() for name in service.get("environment", {}) if "XINMAI" in name}
    described = set(re.findall(r"XINMAI_[A-Z_]+", (ROOT / "streams" / "settings.py").read_text(encoding="utf-8")))
    assert told - described == set()


def test_compose_is_whole_and_listens_on_loopback_only() -> None:
    document, services = yaml.safe_load(COMPOSE.read_text(encoding="utf-8")), _services()
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= services.keys(), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        for volume in service.get("volumes", []):
            source = volume["source"] if isinstance(volume, dict) else volume.partition(":")[0]
            if not source.startswith("."):
                assert source in document["volumes"], f"{name}: {source}"
            elif "${" not in source:
                assert (ROOT / source).exists(), f"{name}: {source}"


def test_prometheus_scrapes_services_and_ports_that_compose_starts() -> None:
    prometheus = yaml.safe_load((RULES.parent / "prometheus.yml").read_text(encoding="utf-8"))
    services = _services()
    for job in prometheus["scrape_configs"]:
        for target in job["static_configs"][0]["targets"]:
            name, _, port = target.partition(":")
            listens = services[name]["environment"]
            assert f"0.0.0.0:{port}" in (listens.get("XINMAI_PROBES"), listens.get("XINMAI_LISTEN"))


def test_the_image_copies_what_is_there_and_what_its_ignore_file_lets_in() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    let_in = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert {name for name in names if not (ROOT / name).exists()} == set()
    assert names == let_in
