"""Certificates to test TLS with, in files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates; its own is in the file `ca`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._authority = folder, trustme.CA()
        self.ca = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self.ca)

    def pair(self, name: str) -> Pair:
        """For a server on this machine, or a client of it."""
        issued = self._authority.issue_cert(HOST, "localhost")
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        issued.private_key_pem.write_to_path(pair.key)
        for index, blob in enumerate(issued.cert_chain_pems):
            blob.write_to_path(pair.certificate, append=index > 0)
        return pair
