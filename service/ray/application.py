"""The service as an application of Ray Serve: how many replicas, where, and with what."""

from __future__ import annotations

from dataclasses import dataclass

import ray
from pydantic import Field, ValidationInfo, field_validator
from ray import serve
from ray.serve import Application
from ray.serve.config import AutoscalingConfig, BackpressureConfig, HTTPOptions, gRPCOptions
from ray.serve.schema import LoggingConfig

from service.instance import LAST_WORDS_S
from service.ray.replica import Replica
from service.settings import Settings

EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - see `check`

_HEALTH_S, _WAIT_S = 2.0, 0.2  # between two looks: at a replica, and at what it has under way
_LATE_S = 5.0  # after a request's longest time, so that the replica can say that it has passed
_LOOK_BACK_S, _UPSCALE_S = 15.0, 10.0  # of load that is averaged, and for which it is high
_TRIES = 3  # of replicas in a row that do not start, until the deployment has failed
_BATCH = {False: 2, True: 8}  # the least that an engine without and with a GPU takes at once
_ROUNDS = 3  # of such batches are let in by a replica, see Admission
_FULL = 2 / 3  # of what is let in is a batch that runs, and the next one
_RESERVE = 32  # requests of a replica that have no image in the system: probes, and refused ones


class RaySettings(Settings):
    """Those of the service, and how many replicas of it there are."""

    host: str = Field(
        default=EVERY_ADDRESS, description="Address Ray's proxies listen on: every one."
    )
    min_replicas: int = Field(default=1, ge=1, description="Replicas that always run.")
    max_replicas: int | None = Field(
        default=None,
        ge=1,
        description="Replicas that run under load; one a GPU, or one a machine without, if unset.",
    )
    target_requests: float | None = Field(
        default=None,
        allow_inf_nan=False,
        gt=0,
        description="Requests under way in each replica that the number of replicas is chosen "
        "for; two batches if unset.",
    )

    @field_validator("max_replicas")
    @classmethod
    def _no_fewer(cls, most: int | None, others: ValidationInfo) -> int | None:
        least = others.data.get("min_replicas", 1)
        if most is not None and most < least:
            raise ValueError(f"{most} are fewer than those of POSEWIRE_MIN_REPLICAS, {least}")
        return most


@dataclass(frozen=True, slots=True)
class Cluster:
    """What there is to run replicas on.

    Attributes:
        cpus: of each machine that has any.
        gpus: of all of them.
    """

    cpus: tuple[float, ...]
    gpus: int

    @classmethod
    def connected(cls) -> Cluster:
        """That which this process is connected to."""
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call] # Ray's
        cpus = tuple(machine["CPU"] for machine in machines if "CPU" in machine)
        return cls(cpus, int(sum(machine.get("GPU", 0) for machine in machines)))


def application(settings: RaySettings, cluster: Cluster) -> Application:
    """The service with these settings: each replica has a GPU where there are any, and its share
    of the processors.
    """
    gpus = 0 if settings.engine == "openvino" else cluster.gpus
    most = settings.max_replicas or max(settings.min_replicas, gpus or len(cluster.cpus))
    threads = settings.threads or _share(cluster, most)
    room = settings.max_images or _ROUNDS * (settings.max_batch or _BATCH[bool(gpus)])
    deployment = serve.deployment(
        name="Replica",
        ray_actor_options={"num_cpus": threads, "num_gpus": int(gpus > 0)},
        autoscaling_config=AutoscalingConfig(
            min_replicas=settings.min_replicas,
            max_replicas=most,
            target_ongoing_requests=settings.target_requests or room * _FULL,
            look_back_period_s=_LOOK_BACK_S,
            upscale_delay_s=_UPSCALE_S,
        ),
        # The replica's own bounds are met first, so that it says which one.
        max_ongoing_requests=room + settings.max_streams + _RESERVE,
        max_queued_requests=settings.max_connections,
        backpressure_config=BackpressureConfig(status_code=429, retry_after_s=1),
        health_check_period_s=_HEALTH_S,
        graceful_shutdown_wait_loop_s=_WAIT_S,
        graceful_shutdown_timeout_s=settings.grace + 3 * LAST_WORDS_S,
        max_constructor_retry_count=_TRIES,
        logging_config=LoggingConfig(enable_access_log=False),
    )
    replica = deployment(serve.ingress()(Replica))
    # Ray sends a replica nothing more before it tells it to end.
    return replica.bind(settings.model_copy(update={"threads": threads, "drain_delay": 0}))


def build(settings: dict[str, str]) -> Application:
    """For `serve deploy`, which asks on the cluster, with settings by their names in small letters.

    Raises:
        ValueError: as `check`.
    """
    chosen = RaySettings.model_validate(settings)
    check(chosen)
    return application(chosen, Cluster.connected())


def http_options(settings: Settings) -> HTTPOptions:
    """Where Ray's proxies listen, and how long a request may take."""
    return HTTPOptions(
        host=settings.host, port=settings.http_port, request_timeout_s=settings.timeout + _LATE_S
    )


def grpc_options(settings: Settings) -> gRPCOptions:
    """As `http_options`; but Ray listens on every address, and a stream may go on for ever."""
    return gRPCOptions(
        port=settings.grpc_port, grpc_servicer_functions=["service.ray.proxy.add_services"]
    )


def check(settings: Settings) -> None:
    """Raises `ValueError` for what Ray, which has the ports and gives out GPUs, cannot bear."""
    if settings.host != EVERY_ADDRESS:
        raise ValueError(
            f"POSEWIRE_HOST: Ray's gRPC proxy listens on every address; leave it out, and keep "
            f"others out by a firewall or API keys, or set it to {EVERY_ADDRESS}"
        )
    if settings.tls_certificate or settings.tls_key or settings.tls_client_ca:
        raise ValueError(
            "POSEWIRE_TLS_CERTIFICATE: Ray's gRPC proxy has no TLS; end it in a proxy before it"
        )
    if settings.gpus is not None:
        raise ValueError("POSEWIRE_GPUS: Ray gives each replica its GPU; leave it out")


def _share(cluster: Cluster, replicas: int) -> int:
    """Processors for each of so many replicas; no more than every machine has."""
    return max(1, int(min((sum(cluster.cpus) / replicas, *cluster.cpus))))
