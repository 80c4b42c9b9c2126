"""Who may call: API keys, and how often each may be used."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from service.access.rate_limit import RateLimit
from service.errors import UnauthorizedError
from service.settings import Settings

_KEY = re.compile(r"[!-~]{1,512}")  # what a header can carry
_BEARER = "bearer "


@dataclass(frozen=True, slots=True)
class Guard:
    """Lets callers in, over both protocols.

    Attributes:
        digests: of the keys, one of which a caller must have; everyone may call if there is none.
        limit: on the requests with each key, if there is one.
    """

    digests: tuple[bytes, ...] = ()
    limit: RateLimit | None = None

    @classmethod
    def of(cls, settings: Settings) -> Guard:
        """As the settings have it.

        Raises:
            OSError: a file of keys cannot be read.
            ValueError: it has no keys, or what is no key; or there is a limit and no key.
        """
        digests = tuple(dict.fromkeys(_digest(key) for key in _keys(settings)))
        if settings.rate_limit is None:
            return cls(digests)
        if not digests:  # callers' addresses say little behind a proxy, and are many
            raise ValueError(
                "POSEWIRE_RATE_LIMIT is of each API key, and there is none: set POSEWIRE_API_KEYS"
            )
        return cls(digests, RateLimit(settings.rate_limit))

    def admit(self, authorization: str, api_key: str) -> str:
        """What to call a caller with these headers, either of which may be empty; not the key.

        Raises:
            UnauthorizedError: neither is a key.
            RateLimitedError: the key is used too often.
        """
        if not self.digests:
            return ""
        caller = self._caller(_bearer(authorization) or api_key)
        if self.limit:
            self.limit.take(caller)
        return caller

    def _caller(self, key: str) -> str:
        if not key:
            raise UnauthorizedError(
                "An API key is needed: send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`."
            )
        given = _digest(key)
        # Every key is compared, so that the time tells nothing of which one is near.
        known = [hmac.compare_digest(digest, given) for digest in self.digests]
        if True not in known:
            raise UnauthorizedError("The API key is not known here: ask the operator for one.")
        return f"key {known.index(True)}"


def _bearer(authorization: str) -> str:
    is_bearer = authorization[: len(_BEARER)].lower() == _BEARER
    return authorization[len(_BEARER) :].strip() if is_bearer else ""


def _keys(settings: Settings) -> Iterator[str]:
    for secret in settings.api_keys:
        yield _checked(secret.get_secret_value(), "POSEWIRE_API_KEYS")
    for file in settings.api_keys_file:
        yield from _keys_in(file)


def _keys_in(file: Path) -> Iterator[str]:
    where = f"POSEWIRE_API_KEYS_FILE {file}"
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{where} is not a text file") from error
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise ValueError(f"{where} has no key: write one a line")
    for key in keys:
        yield _checked(key, where)


def _checked(key: str, where: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"{where}: a key has 1 to 512 visible ASCII characters and no spaces")
    return key


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
