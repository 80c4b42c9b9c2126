"""Certificates of both servers, and of their callers."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Tls:
    """What proves who the service is, and who its callers are.

    Attributes:
        certificate, key: the chain and the key of the service.
        client_ca: certificates of which one must have signed a caller's own, if any need one.
    """

    certificate: Path
    key: Path
    client_ca: Path | None

    @classmethod
    def of(cls, settings: Settings) -> Tls | None:
        """As the settings have it; None for servers without.

        Raises:
            OSError: a file cannot be read.
            ValueError: one is missing, holds something else, or does not go with the other.
        """
        certificate, key = settings.tls_certificate, settings.tls_key
        if certificate is None and key is None and settings.tls_client_ca is None:
            return None
        if certificate is None or key is None:
            missing = "POSEWIRE_TLS_CERTIFICATE" if certificate is None else "POSEWIRE_TLS_KEY"
            raise ValueError(f"{missing} is missing: TLS needs a certificate and its key")
        tls = cls(certificate, key, settings.tls_client_ca)
        tls.http()  # gRPC would not say what is wrong, and ask no sooner than a caller comes
        return tls

    def http(self) -> ssl.SSLContext:
        """For HTTP."""
        for file in filter(None, (self.certificate, self.key, self.client_ca)):
            file.open("rb").close()  # what cannot be read is said as that, by its name
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            # An encrypted key would be asked for on the terminal.
            context.load_cert_chain(self.certificate, self.key, password="")
        except ssl.SSLError as error:
            raise ValueError(
                f"{self.certificate} and {self.key} are no certificate with its key, in PEM and "
                f"without a password ({_reason(error)})"
            ) from error
        if self.client_ca:
            try:
                context.load_verify_locations(self.client_ca)
            except ssl.SSLError as error:
                raise ValueError(
                    f"{self.client_ca} holds no certificates in PEM ({_reason(error)})"
                ) from error
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def grpc(self) -> grpc.ServerCredentials:
        """For gRPC, which takes TLS 1.2 and later by itself."""
        pair = (self.key.read_bytes(), self.certificate.read_bytes())
        if self.client_ca is None:
            return grpc.ssl_server_credentials([pair])
        return grpc.ssl_server_credentials(
            [pair], self.client_ca.read_bytes(), require_client_auth=True
        )


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "malformed").lower().replace("_", " ")
