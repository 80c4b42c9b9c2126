"""What Grafana is given to read: the dashboard, and where Prometheus is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docker.prometheus import CONFIG, promtool
from tests.docker.promql import DASHBOARD, dashboard, metrics, names, panels, queries
from tests.shared import ROOT

GRAFANA = ROOT / "docker" / "grafana"
PANELS = {"heatmap", "stat", "state-timeline", "table", "timeseries"}  # that Grafana comes with
MOUNTED = "/var/lib/grafana/dashboards"


def test_every_query_is_promql(tmp_path: Path) -> None:
    asked = queries()
    rules = [{"record": f"query:{at}", "expr": one.expression} for at, one in enumerate(asked)]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(asked)} rules found" in promtool("check", "rules", path)


def test_metrics_are_told_from_all_else_in_a_query() -> None:
    asked = 'sum by (le) (rate(a_total{b="c"}[5m])) / on (d) group_left () e > 0.5 and f offset 1h'
    assert names(asked) == {"a_total", "e", "f"}
    assert {"pose_requests_total", "process_start_time_seconds", "up"} <= metrics()


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    provisioned = data_source()["uid"]
    assert panel["type"] in PANELS
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"]["uid"] == provisioned
    assert {target["datasource"]["uid"] for target in panel["targets"]} == {provisioned}


def test_panels_lie_beside_each_other() -> None:
    shown = dashboard()["panels"]
    taken = Counter(
        (x, y)
        for at in (panel["gridPos"] for panel in shown)
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    )
    assert max(taken.values()) == 1
    assert {x for x, _ in taken} == set(range(24))
    assert len({panel["id"] for panel in shown}) == len(shown)


def test_the_dashboard_is_the_same_wherever_it_is_loaded() -> None:
    shown = dashboard()
    assert (shown["id"], shown["uid"], shown["editable"]) == (None, "posewire", False)
    variables, annotations = shown["templating"]["list"], shown["annotations"]["list"]
    assert [one["name"] for one in variables] == ["instance", "model"]
    asked = [one for one in [*variables, *annotations] if not one.get("builtIn")]
    assert {one["datasource"]["uid"] for one in asked} == {data_source()["uid"]}


def test_grafana_is_told_where_prometheus_and_the_dashboard_are() -> None:
    source = data_source()
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    assert source["jsonData"]["timeInterval"] == read(CONFIG)["global"]["scrape_interval"]
    (provider,) = read(GRAFANA / "provisioning" / "dashboards" / "posewire.yml")["providers"]
    assert (provider["options"]["path"], provider["allowUiUpdates"]) == (MOUNTED, False)


def test_compose_mounts_what_they_read() -> None:
    services = read(ROOT / "docker-compose.yml")["services"]
    assert mounts(services["prometheus"])["/etc/prometheus"] == CONFIG.parent
    mounted = mounts(services["grafana"])
    assert mounted["/etc/grafana/provisioning"] == GRAFANA / "provisioning"
    assert mounted[MOUNTED] == DASHBOARD.parent


def mounts(service: dict[str, Any]) -> dict[str, Path]:
    """Folders of this repository, by where a service sees them."""
    parts = [volume.split(":") for volume in service["volumes"]]
    return {at: (ROOT / source).resolve() for source, at, *_ in parts}


def data_source() -> dict[str, Any]:
    (source,) = read(GRAFANA / "provisioning" / "datasources" / "prometheus.yml")["datasources"]
    found: dict[str, Any] = source
    return found


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())
