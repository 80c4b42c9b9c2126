"""`python -m tests.parity DIR`: check everything found in a folder of fixtures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.parity import contents, decoding, networks, preprocessing, report


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when nothing failed, 1 when a check did, 2 when there is nothing to check."""
    parser = argparse.ArgumentParser(prog="python -m tests.parity", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="a folder of parity fixtures")
    folder: Path = parser.parse_args(arguments).folder
    try:
        names = contents.names(folder)
    except (contents.LayoutError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    checks = networks.checks() | decoding.checks() | preprocessing.checks()
    lines = []
    for line in report.run(folder, names, checks):
        print(line, flush=True)
        lines.append(line)
    print(report.summary(lines))
    return 1 if any(line.status == "FAIL" for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
