"""Exits with 0 if the service of this container is ready: /readyz answers 200."""

from __future__ import annotations

import os
import ssl
import sys
import urllib.error
import urllib.request


def main() -> None:
    """Asks it, without the packages of the service: a probe runs often, and must cost little."""
    tls = ssl.create_default_context() if os.environ.get("POSEWIRE_TLS_CERTIFICATE") else None
    if tls:  # the certificate has another name than localhost, and nobody is in between
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    port = os.environ.get("POSEWIRE_HTTP_PORT", "8000")
    address = f"{'https' if tls else 'http'}://127.0.0.1:{port}/readyz"
    try:
        with urllib.request.urlopen(address, timeout=5, context=tls) as answer:  # noqa: S310
            answer.read()
    except urllib.error.HTTPError as error:
        sys.exit(f"{address}: {error.code} {error.read().decode(errors='replace')}")
    except OSError as error:
        sys.exit(f"{address}: {error}")


if __name__ == "__main__":
    main()
