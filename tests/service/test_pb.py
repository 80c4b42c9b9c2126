"""The generated code belongs to the .proto."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from service.pb import pose_pb2
from service.rpc import PoseService
from tests.shared import ROOT

PROTO = "proto/pose/v1/pose.proto"


def test_the_generated_code_is_current(tmp_path: Path) -> None:
    flags = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-Iservice/pb=proto/pose/v1", *flags, PROTO],
        cwd=ROOT,
        check=True,
    )
    made = {path.name: path.read_text() for path in (tmp_path / "service" / "pb").iterdir()}
    kept = {path.name: path.read_text() for path in (ROOT / "service" / "pb").glob("pose_pb2*")}
    assert made == kept, "run `make proto`"


def test_every_method_of_the_proto_is_ours_and_none_the_generated_refusal() -> None:
    for method in pose_pb2.DESCRIPTOR.services_by_name["PoseService"].methods:
        assert method.name in vars(PoseService), f"{method.name} would be UNIMPLEMENTED"
