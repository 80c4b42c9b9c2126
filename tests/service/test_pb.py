"""The generated code belongs to the .proto."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
