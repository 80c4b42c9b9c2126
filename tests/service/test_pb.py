"""The generated code belongs to the .proto files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from service.kserve.rpc import InferenceService
from service.pb import inference_pb2, pose_pb2
from service.rpc.poses import PoseService
from tests.shared import ROOT

PROTOS = ("proto/pose/v1/pose.proto", "proto/inference/inference.proto")


def test_the_generated_code_is_current(tmp_path: Path) -> None:
    flags = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    folders = [f"-Iservice/pb={Path(proto).parent}" for proto in PROTOS]
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", *folders, *flags, *PROTOS],
        cwd=ROOT,
        check=True,
    )
    made = {path.name: path.read_text() for path in (tmp_path / "service" / "pb").iterdir()}
    kept = {path.name: path.read_text() for path in (ROOT / "service" / "pb").glob("*_pb2*")}
    assert made == kept, "run `make proto`"


@pytest.mark.parametrize(
    ("file", "name", "servicer"),
    [
        (pose_pb2, "PoseService", PoseService),
        (inference_pb2, "GRPCInferenceService", InferenceService),
    ],
)
def test_every_method_of_the_proto_is_ours_and_none_the_generated_refusal(
    file: Any, name: str, servicer: type
) -> None:
    for method in file.DESCRIPTOR.services_by_name[name].methods:
        assert method.name in vars(servicer), f"{method.name} would be UNIMPLEMENTED"
