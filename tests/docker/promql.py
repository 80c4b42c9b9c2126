"""What the dashboard and the alerts ask of Prometheus."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import yaml

from tests.shared import ROOT

ALERTS = ROOT / "docker" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "docker" / "grafana" / "dashboards" / "posewire.json"

_VARIABLES = {  # of Grafana, as it fills them in where nothing is chosen
    "$__rate_interval": "1m",
    "$instance": ".*",
    "$model": ".*",
}
_QUOTED = re.compile(r'"[^"]*"')
_LABELS = re.compile(r"\{[^}]*\}|\b(?:by|on|ignoring|without|group_left|group_right)\s*\([^)]*\)")
_NUMBER = re.compile(r"\[[^\]]*\]|\b\d[\w.]*")
_NAME = re.compile(r"\b[a-zA-Z_:][\w:]*\b(?!\s*\()")
_WORDS = frozenset({"and", "or", "unless", "bool", "offset"})


@dataclass(frozen=True, slots=True)
class Query:
    """Of a panel.

    Attributes:
        panel: its title.
        expression: PromQL, without Grafana's variables.
        labels: that the legend shows.
    """

    panel: str
    expression: str
    labels: frozenset[str]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def panels() -> list[dict[str, Any]]:
    """Those that show something, which rows do not."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries() -> list[Query]:
    """Of every panel."""
    return [
        Query(
            panel["title"],
            _filled(target["expr"]),
            frozenset(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])),
        )
        for panel in panels()
        for target in panel["targets"]
    ]


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def names(expression: str) -> set[str]:
    """The metrics in PromQL: what is neither a function, a keyword, a label nor a number."""
    for left_out in (_QUOTED, _LABELS, _NUMBER):
        expression = left_out.sub(" ", expression)
    return set(_NAME.findall(expression)) - _WORDS


def metrics() -> set[str]:
    """All that dashboard and alerts name."""
    asked = [query.expression for query in queries()] + [rule["expr"] for rule in alerts()]
    return {name for expression in asked for name in names(expression)}


def _filled(expression: str) -> str:
    for variable, value in _VARIABLES.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression, f"a variable that tests do not know: {expression}"
    return expression
