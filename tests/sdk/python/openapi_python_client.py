"""The round with the client of openapi-python-client."""

from datetime import datetime
from io import BytesIO, RawIOBase

from darkroom_client import AuthenticatedClient, Client
from darkroom_client.api.images import (
    delete_image,
    get_image,
    get_original,
    get_thumbnail,
    list_images,
    retry_image,
    upload_image,
)
from darkroom_client.api.statistics import get_stats
from darkroom_client.models import (
    ErrorBody,
    Image,
    ImageAnswer,
    ImageList,
    ImageListAnswer,
    ImageStatus,
    Metadata,
    Stats,
    StatsAnswer,
    ThumbnailSize,
    UploadAnswer,
    UploadImageBody,
)
from darkroom_client.types import UNSET, File

from steps import BROKEN, BYTES, KEY, NO_PICTURE, PICTURE, READ_KEY, TOO_LARGE, URL, run_all, step

client = AuthenticatedClient(base_url=URL, token=KEY, timeout=60)
uploaded: list[int] = []


class Stream(RawIOBase):
    """Bytes that can be read once, from the beginning to an end that nobody knows."""

    def __init__(self, content: bytes):
        self.content = BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self.content.read(min(size, 100) if size > 0 else size)


def form(content, name: str) -> UploadImageBody:
    return UploadImageBody(file=File(payload=content, file_name=name, mime_type="image/jpeg"))


def upload(content, name: str) -> None:
    answer = upload_image.sync(client=client, body=form(content, name))
    assert isinstance(answer, UploadAnswer), answer
    assert (answer.data.original_name, answer.data.status) == (name, ImageStatus.PROCESSING), answer
    uploaded.append(answer.data.image_id)


def refused(status: int, code: str, response) -> None:
    assert response.status_code == status, response
    assert isinstance(response.parsed, ErrorBody), response
    assert response.parsed.code == code and response.parsed.error and response.parsed.request_id, response


@step("path")
def _():
    with open(PICTURE, "rb") as file:
        upload(file, "photo.jpg")


@step("bytes")
def _():
    upload(BytesIO(BYTES), "file")


@step("stream")
def _():
    upload(Stream(BYTES), "stream.jpg")


@step("wait")
def _():
    for image_id in uploaded:
        answer = get_image.sync(image_id, client=client, wait=30)
        assert isinstance(answer, ImageAnswer) and isinstance(answer.data, Image), answer
        image = answer.data
        assert image.status == ImageStatus.SUCCESS, image
        assert isinstance(image.metadata, Metadata) and image.metadata.size_bytes == len(BYTES)
        assert isinstance(image.completed_at, datetime) and image.error is None and image.caption is None
        assert [stage.name for stage in image.stages] == ["metadata", "thumbnails", "caption"]


@step("pages")
def _():
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        answer = list_images.sync(client=client, limit=2, cursor=cursor or UNSET, status=ImageStatus.SUCCESS)
        assert isinstance(answer, ImageListAnswer) and isinstance(answer.data, ImageList), answer
        assert len(answer.data.images) <= 2
        seen += [image.image_id for image in answer.data.images]
        cursor, pages = answer.data.next_cursor, pages + 1
    assert pages > 1 and seen == sorted(set(seen), reverse=True) and set(uploaded) <= set(seen), seen


@step("thumbnails")
def _():
    for size in (ThumbnailSize.SMALL, ThumbnailSize.MEDIUM):
        thumbnail = get_thumbnail.sync(uploaded[0], size, client=client)
        assert isinstance(thumbnail, File) and thumbnail.payload.read(3) == b"\xff\xd8\xff"


@step("original")
def _():
    original = get_original.sync(uploaded[0], client=client)
    assert isinstance(original, File) and original.payload.read() == BYTES


@step("stats")
def _():
    by_header = AuthenticatedClient(base_url=URL, token=KEY, prefix="", auth_header_name="X-API-Key")
    answer = get_stats.sync(client=by_header)
    assert isinstance(answer, StatsAnswer) and isinstance(answer.data, Stats), answer
    assert answer.data.successful >= len(uploaded) and "thumbnails" in answer.data.stages


@step("401")
def _():
    for stranger in (Client(base_url=URL), AuthenticatedClient(base_url=URL, token="wrong")):
        refused(401, "unauthorized", get_image.sync_detailed(uploaded[0], client=stranger))


@step("403")
def _():
    reader = AuthenticatedClient(base_url=URL, token=READ_KEY)
    refused(403, "forbidden", delete_image.sync_detailed(uploaded[0], client=reader))


@step("409")
def _():
    refused(409, "conflict", retry_image.sync_detailed(uploaded[0], client=client))


@step("413")
def _():
    body = form(BytesIO(TOO_LARGE), "large.jpg")
    refused(413, "payload_too_large", upload_image.sync_detailed(client=client, body=body))


@step("415")
def _():
    body = form(BytesIO(NO_PICTURE), "no.jpg")
    refused(415, "unsupported_type", upload_image.sync_detailed(client=client, body=body))


@step("422")
def _():
    body = form(BytesIO(BROKEN), "broken.jpg")
    refused(422, "undecodable", upload_image.sync_detailed(client=client, body=body))


@step("delete")
def _():
    for image_id in uploaded:
        assert delete_image.sync_detailed(image_id, client=client).status_code == 204


@step("404")
def _():
    refused(404, "not_found", get_image.sync_detailed(uploaded[0], client=client))
    refused(404, "not_found", get_thumbnail.sync_detailed(uploaded[0], ThumbnailSize.SMALL, client=client))


run_all()
