"""The images in the body of an HTTP request."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from service.errors import BadParameterError, CallerGoneError, ImageTooLargeError
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Upload:
    """Encoded images; `many` when the answer is to be a list."""

    images: list[bytes]
    many: bool


async def read_upload(request: Request, settings: Settings) -> Upload:
    """A raw body is one image; in a multipart body each field `image` is one.

    Raises:
        ImageTooLargeError: as soon as more has come than is accepted.
        BadParameterError: a multipart body without images, with too many, or with other fields.
    """
    try:
        if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            return await _multipart(request, settings)
        image = await read_body(request, settings.max_bytes, "An image")
        return Upload([image], many=False)
    except HTTPException as error:
        raise BadParameterError(
            f"The multipart body cannot be read ({error.detail}): send one as curl's -F does."
        ) from error
    except ClientDisconnect:
        raise CallerGoneError("The caller left before the whole request had come.") from None


async def read_body(request: Request, limit: int, what: str) -> bytes:
    """All of a body.

    Raises:
        ImageTooLargeError: as soon as more than `limit` bytes have come.
        CallerGoneError
    """
    try:
        return await _limited(request, limit, what).body()
    except ClientDisconnect:
        raise CallerGoneError("The caller left before the whole request had come.") from None


async def _multipart(request: Request, settings: Settings) -> Upload:
    limited = _limited(request, settings.max_request_bytes, "A multipart request")
    async with limited.form(max_files=settings.max_parts, max_fields=settings.max_parts) as form:
        files = []
        for name, part in form.multi_items():
            if name != "image" or not isinstance(part, UploadFile):
                raise BadParameterError(
                    f"The multipart field {name!r} is not an image file: send files in fields "
                    "named `image`, as curl's -F image=@photo.jpg does, and parameters in the "
                    "address."
                )
            files.append(part)
        if not files:
            raise BadParameterError(
                "The multipart body has no field `image`: add one for each image."
            )
        return Upload([await file.read() for file in files], many=len(files) > 1)


def _limited(request: Request, limit: int, what: str) -> Request:
    """The same request, whose body may not be longer than `limit`."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(what, limit)
    return Request(request.scope, _counting(request.receive, limit, what))


def _counting(receive: Receive, limit: int, what: str) -> Receive:
    total = 0

    async def counting() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > limit:
            raise _too_large(what, limit)
        return message

    return counting


def _too_large(what: str, limit: int) -> ImageTooLargeError:
    return ImageTooLargeError(f"{what} may have {limit} bytes at most: send a smaller one.")
