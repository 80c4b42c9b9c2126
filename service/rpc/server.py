"""The gRPC server: its options, services and port."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from service.access.tls import Tls
from service.core import Core
from service.kserve.rpc import InferenceService
from service.pb import inference_pb2, inference_pb2_grpc, pose_pb2, pose_pb2_grpc
from service.rpc.gate import RpcGate
from service.rpc.guard import RpcGuard
from service.rpc.messages import RpcMessages
from service.rpc.poses import PoseService
from service.rpc.watch import RpcWatch
from service.settings import Settings
from service.sockets import listen
from service.telemetry.watch import Watch

SERVICES = (
    pose_pb2.DESCRIPTOR.services_by_name["PoseService"].full_name,
    inference_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name,
)
_HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name


def interceptors(core: Core) -> list[grpc.aio.ServerInterceptor]:
    """What stands before the services, from outside in."""
    return [
        RpcWatch(Watch(core.tracer)),
        RpcGuard(core.guard, core.metrics),
        RpcGate(core),
        RpcMessages(),
    ]


def add_services(core: Core, server: grpc.aio.Server) -> None:
    """Adds those that find people."""
    pose_pb2_grpc.add_PoseServiceServicer_to_server(PoseService(core), server)  # type: ignore[no-untyped-call] # generated
    inference_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(InferenceService(core), server)  # type: ignore[no-untyped-call] # generated


def create_server(core: Core, health: health_aio.HealthServicer) -> grpc.aio.Server:
    """The server with all of its services, on no port yet."""
    server = grpc.aio.server(
        interceptors=interceptors(core),
        options=(
            # Above an image's limit, so that a frame too large fails alone and says why.
            ("grpc.max_receive_message_length", core.settings.max_request_bytes),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ("grpc.server_handshake_timeout_ms", 10_000),
            ("grpc.max_connection_idle_ms", 60_000),  # gives its place to another
            ("grpc.max_connection_age_ms", 300_000),  # so that its caller sees new replicas
            ("grpc.max_allowed_incoming_connections", core.settings.max_connections),
            ("grpc.so_reuseport", 0),  # a second server on the port is an error, not a share
        ),
    )
    add_services(core, server)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    listed = (*SERVICES, _HEALTH, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(listed, server)
    return server


def bind(server: grpc.aio.Server, settings: Settings, tls: Tls | None) -> int:
    """The port on which the server will listen.

    Raises:
        OSError: it is taken.
    """
    # gRPC would log a port that is taken in its own words.
    listen(settings.host, settings.grpc_port, "grpc").close()
    host = f"[{settings.host}]" if ":" in settings.host else settings.host  # IPv6
    address = f"{host}:{settings.grpc_port}"
    if tls is None:
        return server.add_insecure_port(address)
    return server.add_secure_port(address, tls.grpc())
