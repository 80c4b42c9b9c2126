"""Every error a caller can meet, with its HTTP status and gRPC code, in one table."""

from __future__ import annotations

from typing import ClassVar

import grpc


class ServiceError(Exception):
    """An answer that is not people. The message says what to do.

    `shed` is what metrics call it where it spares the engines work; `retry_after` is the number of
    seconds after which it is worth while to try again, where that is known.
    """

    code: ClassVar[str] = "internal"
    shed: ClassVar[str] = ""
    retry_after: int | None = None
    http_status: ClassVar[int] = 500
    grpc_status: ClassVar[grpc.StatusCode] = grpc.StatusCode.INTERNAL

    @property
    def message(self) -> str:
        return str(self)


class BadImageError(ServiceError):
    """Not recognisable as an image, truncated, or empty."""

    code = "bad_image"
    http_status = 400
    grpc_status = grpc.StatusCode.INVALID_ARGUMENT


class UnsupportedImageError(ServiceError):
    """A recognised file type that is not accepted."""

    code = "unsupported_image"
    http_status = 415
    grpc_status = grpc.StatusCode.INVALID_ARGUMENT


class ImageTooLargeError(ServiceError):
    """More bytes or pixels than the service accepts."""

    code = "too_large"
    shed = "too_large"
    http_status = 413
    grpc_status = grpc.StatusCode.RESOURCE_EXHAUSTED


class UnknownModelError(ServiceError):
    """A model that is not served here."""

    code = "unknown_model"
    http_status = 404
    grpc_status = grpc.StatusCode.NOT_FOUND


class BadParameterError(ServiceError):
    """A parameter out of its range or of the wrong kind."""

    code = "bad_parameter"
    http_status = 422
    grpc_status = grpc.StatusCode.INVALID_ARGUMENT


class OverloadedError(ServiceError):
    """More images in the system than it admits."""

    code = "overloaded"
    shed = "capacity"
    http_status = 429
    grpc_status = grpc.StatusCode.RESOURCE_EXHAUSTED

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnauthorizedError(ServiceError):
    """No API key, or one that is not known here."""

    code = "unauthorized"
    http_status = 401
    grpc_status = grpc.StatusCode.UNAUTHENTICATED


class RateLimitedError(OverloadedError):
    """More requests than one API key may send in a time."""

    code = "rate_limited"
    shed = "rate"


class UnsupportedEncodingError(ServiceError):
    """A body that is compressed once more than its image is."""

    code = "unsupported_encoding"
    http_status = 415
    grpc_status = grpc.StatusCode.UNIMPLEMENTED


class UnavailableError(ServiceError):
    """Starting, draining, or without an engine."""

    code = "unavailable"
    shed = "unavailable"
    http_status = 503
    grpc_status = grpc.StatusCode.UNAVAILABLE
    retry_after = 1


class DrainingError(UnavailableError):
    """The service is about to end."""

    shed = "draining"


class DeadlineError(ServiceError):
    """The caller's deadline passed before the people were found."""

    code = "deadline_exceeded"
    shed = "deadline"
    http_status = 504
    grpc_status = grpc.StatusCode.DEADLINE_EXCEEDED


class CallerGoneError(ServiceError):
    """The caller left before the answer; nobody reads this one but the metrics."""

    code = "cancelled"
    http_status = 499  # nginx's; HTTP has none
    grpc_status = grpc.StatusCode.CANCELLED


class InternalError(ServiceError):
    """A fault of the service; its log has the details."""
