"""How the service is put on Ray: replicas, what they have, and the command."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import pytest

from tests.shared import ROOT

with warnings.catch_warnings(action="ignore"):  # of Ray's own configuration
    pytest.importorskip("ray.serve", reason="needs ray[serve], which is not installed")
    from service.ray.application import Cluster, RaySettings, application
    from service.ray.replica import Replica


COMMAND = "from service.ray.__main__ import main; main([])"


async def test_a_replica_whose_engine_died_for_good_is_not_healthy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def started(_: object) -> None:
        pass

    monkeypatch.setattr("service.instance.Instance.start", started)
    monkeypatch.setattr("service.telemetry.logs.configure", lambda *_: None)

    class Kept(Replica):
        def __del__(self) -> None:  # type: ignore[override] # Python would not await it
            pass

    replica = object.__new__(Kept)
    await replica.__init__(RaySettings(threads=1, grace=0))  # type: ignore[misc] # as Ray does
    replica.check_health()
    replica._instance.failed.set()
    with pytest.raises(RuntimeError, match="engine"):
        replica.check_health()
    await Replica.__del__(replica)


@pytest.mark.parametrize(
    ("cluster", "settings", "most", "cpus", "gpus"),
    [
        (Cluster((8,), 0), {}, 1, 8, 0),
        (Cluster((8,), 0), {"max_replicas": 4}, 4, 2, 0),
        (Cluster((8, 4), 0), {}, 2, 4, 0),
        (Cluster((2,), 0), {"min_replicas": 4}, 4, 1, 0),
        (Cluster((64,), 8), {}, 8, 8, 1),
        (Cluster((64,), 8), {"engine": "openvino", "threads": 3}, 1, 3, 0),
    ],
)
def test_each_replica_has_a_gpu_or_its_share_of_the_processors(
    cluster: Cluster, settings: dict[str, Any], most: int, cpus: int, gpus: int
) -> None:
    made = application(RaySettings(**settings), cluster)._bound_deployment
    assert made.ray_actor_options == {"num_cpus": cpus, "num_gpus": gpus}
    (given,) = made.init_args
    assert given.threads == cpus
    scaling = made._deployment_config.autoscaling_config
    assert scaling
    assert (scaling.min_replicas, scaling.max_replicas) == (settings.get("min_replicas", 1), most)


def test_replicas_refuse_before_ray_does_and_more_are_started_before_that() -> None:
    settings = RaySettings(max_images=24, max_streams=10)
    made = application(settings, Cluster((8,), 0))._bound_deployment
    scaling = made._deployment_config.autoscaling_config
    assert scaling
    assert scaling.target_ongoing_requests == 16
    assert made.max_ongoing_requests > 24 + 10


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"POSEWIRE_HOST": "127.0.0.1"}, "POSEWIRE_HOST"),
        ({"POSEWIRE_GPUS": "0"}, "POSEWIRE_GPUS"),
        ({"POSEWIRE_TLS_KEY": "key.pem"}, "POSEWIRE_TLS"),
        ({"POSEWIRE_MIN_REPLICAS": "3", "POSEWIRE_MAX_REPLICAS": "2"}, "POSEWIRE_MAX_REPLICAS"),
    ],
)
def test_what_ray_cannot_do_is_refused_in_one_line(settings: dict[str, str], named: str) -> None:
    assert_one_line(started(COMMAND, settings), named)


def test_without_ray_the_extra_is_named_in_one_line() -> None:
    absent = (
        "import sys; sys.modules['ray'] = None; from service.ray.__main__ import main; main([])"
    )
    assert_one_line(started(absent, {}), "pip install 'posewire[ray]'")


def started(code: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def assert_one_line(ended: subprocess.CompletedProcess[str], named: str) -> None:
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert named in line
