"""Makes `debian:bookworm-slim` where it cannot be pulled: `python -m tests.docker.base_image`.

It is Debian's own packages by debootstrap, less documentation, and carries this machine's
certificates and pip configuration, so that builds from it reach the package index as this
machine does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.docker.engine import Engine
from tests.docker.programs import program

NAME = "debian:bookworm-slim"
_MIRROR = "http://deb.debian.org/debian"
_SECURITY = "http://deb.debian.org/debian-security"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_OWN_CERTIFICATES = "etc/machine.crt"
_LEFT_OUT = (
    "usr/share/doc",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/man",
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
)


def ensure_base_image(engine: Engine) -> str:
    """Pulls or makes the image unless it is there; skips the test where neither can be.

    Returns:
        How it came, in words.
    """
    if engine.has("image", "inspect", NAME):
        return f"{NAME} was there"
    if engine.has("pull", "--quiet", NAME):
        return f"{NAME} was pulled"
    with tempfile.TemporaryDirectory(prefix="base-image-") as folder:
        root = Path(folder) / "root"
        _bootstrap(root)
        _slim(root)
        _hand_over(root)
        _import(root, engine)
    return f"{NAME} was made by debootstrap"


def _bootstrap(root: Path) -> None:
    made = [program("debootstrap", "debootstrap"), "--variant=minbase", "bookworm", str(root)]
    done = subprocess.run([*made, _MIRROR], capture_output=True, text=True, check=False)
    if done.returncode:
        *_, last = (done.stdout + done.stderr).splitlines() or ["it said nothing"]
        pytest.skip(f"{NAME} can be neither pulled nor made: debootstrap: {last}")
    lists = [
        f"deb {_MIRROR} bookworm main",
        f"deb {_MIRROR} bookworm-updates main",
        f"deb {_SECURITY} bookworm-security main",
    ]
    (root / "etc/apt/sources.list").write_text("\n".join(lists) + "\n")


def _slim(root: Path) -> None:
    """As the published image is: without what nobody reads in a container."""
    for path in _LEFT_OUT:
        shutil.rmtree(root / path)
        (root / path).mkdir()
    excluded = "".join(f"path-exclude /{path}/*\n" for path in _LEFT_OUT if "share" in path)
    (root / "etc/dpkg/dpkg.cfg.d/slim").write_text(excluded)


def _hand_over(root: Path) -> None:
    """This machine's certificates, and what its pip was told, but for folders of its own.

    The certificates have a file of their own, as Debian's packages write the usual one anew.
    """
    shutil.copyfile(_CERTIFICATES, root / _OWN_CERTIFICATES)
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    options = (line.partition("=") for line in listed.stdout.splitlines())
    told = {
        name.removeprefix("global."): value.strip("'")
        for name, _, value in options
        if name.startswith("global.") and not _is_folder(value.strip("'"))
    }
    lines = [
        f"{name} = {value}" for name, value in (told | {"cert": f"/{_OWN_CERTIFICATES}"}).items()
    ]
    (root / "etc/pip.conf").write_text("\n".join(["[global]", *lines]) + "\n")


def _is_folder(value: str) -> bool:
    return any(part.startswith(("file:", "/")) for part in value.split())


def _import(root: Path, engine: Engine) -> None:
    with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as archive:
        subprocess.run(
            ["docker", "import", "--change", 'CMD ["bash"]', "-", NAME],
            env=dict(engine.environment),
            stdin=archive.stdout,
            stdout=subprocess.DEVNULL,
            check=True,
        )
    if archive.returncode:
        raise subprocess.CalledProcessError(archive.returncode, "tar")


if __name__ == "__main__":
    print(ensure_base_image(Engine(os.environ)))
