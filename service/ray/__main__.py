"""`python -m service.ray`: serve on a Ray cluster until SIGTERM; `--help` lists every setting."""

from __future__ import annotations

import sys

import typer

from service.console import failing


def main(flags: list[str]) -> None:
    """Serves on the cluster at RAY_ADDRESS, or on one that is started on this machine."""
    try:
        with failing():
            from service.ray.running import run  # noqa: PLC0415 - an extra

            run(flags)
    except typer.Exit as ended:
        sys.exit(ended.exit_code)


if __name__ == "__main__":
    main(sys.argv[1:])
