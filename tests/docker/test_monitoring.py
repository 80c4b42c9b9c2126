"""What Prometheus is given to read: that it takes it, and that alerts come when they are due."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docker.prometheus import CONFIG, promtool, uncommented
from tests.docker.promql import ALERTS, alerts
from tests.shared import ROOT

SITUATIONS = ROOT / "tests" / "docker" / "alerts_test.yml"


def test_prometheus_takes_its_settings_and_rules() -> None:
    assert f"{len(alerts())} rules found" in promtool("check", "config", CONFIG)


def test_what_is_commented_out_holds_with_keys_tls_and_an_alertmanager(tmp_path: Path) -> None:
    text = uncommented()
    for name in re.findall(r"/run/secrets/(\S+)", text):
        (tmp_path / name).write_text("")
    (tmp_path / "alerts.yml").write_text(ALERTS.read_text())
    changed = tmp_path / "prometheus.yml"
    changed.write_text(text.replace("/run/secrets", str(tmp_path)))
    promtool("check", "config", changed)
    asked = yaml.safe_load(text)
    assert asked["alerting"]
    assert {"authorization", "scheme", "tls_config"} <= set(asked["scrape_configs"][0])


def test_every_replica_is_asked_by_the_names_of_the_services() -> None:
    jobs = {job["job_name"]: job for job in yaml.safe_load(CONFIG.read_text())["scrape_configs"]}
    (found,) = jobs["posewire"]["dns_sd_configs"]
    assert found["names"] == ["posewire", "posewire-gpu"]
    assert (found["type"], found["port"]) == ("A", 8000)
    assert jobs["proxy"]["static_configs"] == [{"targets": ["proxy:8404"]}]
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert {"posewire", "posewire-gpu", "proxy"} <= set(services)


def test_alerts_come_in_the_situations_that_they_are_for_and_in_no_other() -> None:
    promtool("test", "rules", SITUATIONS)


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_has_its_situation_and_says_what_to_do(alert: dict[str, Any]) -> None:
    fired = re.findall(r'ALERTS\{alertname="(\w+)", (.*)\}', SITUATIONS.read_text())
    labels = [set(re.findall(r"(\w+)=", rest)) for name, rest in fired if name == alert["alert"]]
    texts = alert["annotations"]
    shown = set(re.findall(r"\$labels\.(\w+)", texts["summary"] + texts["description"]))
    assert labels, "no situation in which it fires"
    assert all(shown <= one for one in labels), "a text shows a label that the alert has not"
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert f"`{alert['alert']}`" in (ROOT / "docs" / "observability.md").read_text()
