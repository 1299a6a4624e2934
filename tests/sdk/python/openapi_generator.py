"""The round with the Python client of openapi-generator."""

from datetime import datetime

from darkroom_client import ApiClient, ApiException, Configuration, ImagesApi, StatisticsApi
from darkroom_client.models import ErrorBody, Image, ImageList, ImageStatus, Metadata, Stats, ThumbnailSize, Upload

from steps import BROKEN, BYTES, KEY, NO_PICTURE, PICTURE, READ_KEY, TOO_LARGE, URL, run_all, step

images = ImagesApi(ApiClient(Configuration(host=URL, access_token=KEY)))
uploaded: list[int] = []


def upload(file, name: str) -> None:
    taken = images.upload_image(file=file).data
    assert isinstance(taken, Upload)
    assert (taken.original_name, taken.status) == (name, ImageStatus.PROCESSING), taken
    uploaded.append(taken.image_id)


def refused(status: int, code: str, call) -> None:
    try:
        call()
    except ApiException as error:
        assert error.status == status, error
        assert isinstance(error.data, ErrorBody), error.data
        assert error.data.code == code and error.data.error and error.data.request_id, error.data
        return
    raise AssertionError(f"it was not refused with {status}")


@step("path")
def _():
    upload(PICTURE, "photo.jpg")


@step("bytes")
def _():
    upload(BYTES, "file")


@step("stream")
def _():
    # The client knows no streams; this is what its users do.
    with open(PICTURE, "rb") as stream:
        upload(("stream.jpg", stream.read()), "stream.jpg")


@step("wait")
def _():
    for image_id in uploaded:
        image = images.get_image(image_id, wait=30).data
        assert isinstance(image, Image) and image.status == ImageStatus.SUCCESS, image
        assert isinstance(image.metadata, Metadata) and image.metadata.size_bytes == len(BYTES)
        assert isinstance(image.completed_at, datetime) and image.error is None and image.caption is None
        assert [stage.name for stage in image.stages] == ["metadata", "thumbnails", "caption"]


@step("pages")
def _():
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        part = images.list_images(limit=2, cursor=cursor, status=ImageStatus.SUCCESS).data
        assert isinstance(part, ImageList) and len(part.images) <= 2
        seen += [image.image_id for image in part.images]
        cursor, pages = part.next_cursor, pages + 1
    assert pages > 1 and seen == sorted(set(seen), reverse=True) and set(uploaded) <= set(seen), seen


@step("thumbnails")
def _():
    for size in (ThumbnailSize.SMALL, ThumbnailSize.MEDIUM):
        assert images.get_thumbnail(uploaded[0], size).startswith(b"\xff\xd8\xff")


@step("original")
def _():
    assert images.get_original(uploaded[0]) == BYTES


@step("stats")
def _():
    by_header = ApiClient(Configuration(host=URL, api_key={"api_key": KEY}))
    stats = StatisticsApi(by_header).get_stats().data
    assert isinstance(stats, Stats) and stats.successful >= len(uploaded) and "thumbnails" in stats.stages


@step("401")
def _():
    for configuration in (Configuration(host=URL), Configuration(host=URL, access_token="wrong")):
        refused(401, "unauthorized", lambda: ImagesApi(ApiClient(configuration)).get_image(uploaded[0]))


@step("403")
def _():
    reader = ImagesApi(ApiClient(Configuration(host=URL, access_token=READ_KEY)))
    refused(403, "forbidden", lambda: reader.delete_image(uploaded[0]))


@step("409")
def _():
    refused(409, "conflict", lambda: images.retry_image(uploaded[0]))


@step("413")
def _():
    refused(413, "payload_too_large", lambda: images.upload_image(file=TOO_LARGE))


@step("415")
def _():
    refused(415, "unsupported_type", lambda: images.upload_image(file=NO_PICTURE))


@step("422")
def _():
    refused(422, "undecodable", lambda: images.upload_image(file=BROKEN))


@step("delete")
def _():
    for image_id in uploaded:
        assert images.delete_image(image_id) is None


@step("404")
def _():
    refused(404, "not_found", lambda: images.get_image(uploaded[0]))
    refused(404, "not_found", lambda: images.get_thumbnail(uploaded[0], ThumbnailSize.SMALL))


run_all()
