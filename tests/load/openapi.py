"""schemathesis against a server's OpenAPI document: `python -m tests.load.openapi --examples 500`.

Every operation is called with what its schema allows and with what it forbids, and the answers
are compared with the document. Exits with 1 after a failure.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from engines.weights import Store
from tests.e2e.server import environment, server
from tests.shared import ROOT, shared

_CONFIG = ROOT / "tests" / "load" / "schemathesis.toml"


def check(url: str, examples: int, phases: str) -> subprocess.CompletedProcess[str]:
    """Runs all of schemathesis' checks on the server at `url`, with so many examples each way."""
    command = [sys.executable, "-m", "schemathesis.cli", f"--config-file={_CONFIG}", "run"]
    options = ["--checks=all", f"--max-examples={examples}", f"--phases={phases}", "--no-color"]
    more = ["--continue-on-failure", "--generation-database=none", "--seed=1"]
    return subprocess.run(
        [*command, f"{url}/openapi.json", *options, *more],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100, help="of each operation and phase")
    parser.add_argument("--phases", default="examples,coverage,fuzzing,stateful")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "cache", str(shared("weights")))
        with server(environment(store), Path(folder) / "log") as started:
            done = check(started.http, asked.examples, asked.phases)
    print(done.stdout, done.stderr)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
