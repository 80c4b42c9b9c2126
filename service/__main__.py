"""`python -m service` is `posewire serve`."""

from __future__ import annotations

import sys

from service.cli import app

if __name__ == "__main__":
    app(["serve", *sys.argv[1:]], prog_name="posewire")
