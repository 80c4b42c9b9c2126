"""How many pods there are: by queues, and never none while nodes are drained or pods replaced."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from service.admission import Admission
from service.telemetry.metrics import Metrics
from tests.docker.kubernetes.manifests import FOLDER, Manifests, build, documented
from tests.docker.programs import program


def targets(made: Manifests) -> dict[str, float]:
    """What the autoscaler wants of a pod on average, by metric."""
    looked_at = [one["pods"] for one in made.one("HorizontalPodAutoscaler")["spec"]["metrics"]]
    return {one["metric"]["name"]: float(one["target"]["averageValue"]) for one in looked_at}


def adapter() -> dict[str, str]:
    """Its only rule."""
    values = yaml.safe_load((FOLDER / "prometheus-adapter.yaml").read_text())
    (rule,) = values["rules"]["custom"]
    return dict(rule)


def test_the_autoscaler_decides_how_many_pods_there_are(made: Manifests) -> None:
    target = made.one("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    workload = made.workload
    assert (target["kind"], target["name"]) == (workload["kind"], workload["metadata"]["name"])
    assert target["apiVersion"] == workload["apiVersion"]
    assert "replicas" not in workload["spec"]


def test_the_autoscaler_looks_at_metrics_that_the_service_has_and_the_adapter_gives(
    made: Manifests,
) -> None:
    looked_at = targets(made)
    assert "pose_queue_depth" in looked_at
    assert looked_at.keys() <= {family.name for family in Metrics().registry.collect()}
    (given,) = re.findall('__name__=~"(.*?)"', adapter()["seriesQuery"])
    assert all(re.fullmatch(given, name) for name in looked_at)


@pytest.mark.parametrize(("variant", "batch"), [("base", 2), ("gpu", 8)])
def test_pods_are_added_before_those_there_are_full(variant: str, batch: int) -> None:
    admission = Admission()
    admission.suit(batch)
    looked_at = targets(build(FOLDER / variant))
    assert looked_at["pose_inflight"] <= admission.capacity / 2
    assert looked_at["pose_queue_depth"] <= (admission.capacity - batch) / 2


def test_the_adapter_adds_up_the_queues_of_a_pods_models(tmp_path: Path) -> None:
    query = adapter()["metricsQuery"]
    for part, told in {"Series": "pose_queue_depth", "LabelMatchers": 'namespace="n"'}.items():
        query = query.replace(f"<<.{part}>>", told)
    query = query.replace("<<.GroupBy>>", "pod")
    queues = {("a", "one"): "1+0x4", ("a", "two"): "3+0x4", ("b", "one"): "5+0x4"}
    series = [
        {"series": f'pose_queue_depth{{namespace="n",pod="{pod}",model="{model}"}}', "values": told}
        for (pod, model), told in queues.items()
    ]
    wanted = [{"labels": f'{{pod="{pod}"}}', "value": value} for pod, value in (("a", 4), ("b", 5))]
    asked = [{"expr": query, "eval_time": "4m", "exp_samples": wanted}]
    test = {"interval": "1m", "input_series": series, "promql_expr_test": asked}
    (tmp_path / "test.yml").write_text(yaml.safe_dump({"tests": [test]}))
    command = [program("promtool", "prometheus"), "test", "rules", "test.yml"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_drained_node_waits_for_no_pod_for_ever_and_takes_one_at_a_time(made: Manifests) -> None:
    budget = made.one("PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_pods_on_cpus_are_never_all_away(cpu: Manifests) -> None:
    away = cpu.one("PodDisruptionBudget")["spec"]["maxUnavailable"]
    assert cpu.one("HorizontalPodAutoscaler")["spec"]["minReplicas"] > away
    assert cpu.workload["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_what_the_docs_give_to_operators_fits_the_pods(cpu: Manifests) -> None:
    others = {one["kind"]: one["spec"] for one in documented() if "resources" not in one}
    monitor, scaled = others["PodMonitor"], others["ScaledObject"]
    assert cpu.selects(monitor["selector"]["matchLabels"])
    ports = {port["name"] for port in cpu.container["ports"]}
    assert {endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]} <= ports
    assert scaled["scaleTargetRef"]["name"] == cpu.workload["metadata"]["name"]
    asked = [trigger["metadata"] for trigger in scaled["triggers"]]
    told = {re.findall("pose_[a-z_]+", one["query"])[0]: float(one["threshold"]) for one in asked}
    assert told == targets(cpu)
