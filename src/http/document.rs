//! The document that describes the API. `openapi/openapi.yaml` holds it; a test compares the two.

use super::captions::CaptionsApi;
use super::deliveries::DeliveriesApi;
use super::documented::Documented;
use super::events::EventsApi;
use super::gallery::GalleryApi;
use super::health::HealthApi;
use super::images::ImagesApi;
use super::list::ListApi;
use super::metrics::MetricsApi;
use super::pictures::PicturesApi;
use super::similar::SimilarApi;
use super::stats::StatsApi;
use poem_openapi::{LicenseObject, OpenApiService, ServerObject};

pub(super) type Apis = Documented<(
    ImagesApi,
    ListApi,
    SimilarApi,
    PicturesApi,
    EventsApi,
    CaptionsApi,
    DeliveriesApi,
    StatsApi,
    HealthApi,
    MetricsApi,
    GalleryApi,
)>;

pub(super) fn service() -> OpenApiService<Apis, ()> {
    let apis = Documented((
        ImagesApi,
        ListApi,
        SimilarApi,
        PicturesApi,
        EventsApi,
        CaptionsApi,
        DeliveriesApi,
        StatsApi,
        HealthApi,
        MetricsApi,
        GalleryApi,
    ));
    // `identifier` would say it better, and is a field of OpenAPI 3.1.
    let license = LicenseObject::new("MIT OR Apache-2.0").url("https://spdx.org/licenses/");
    OpenApiService::new(apis, "Darkroom", env!("CARGO_PKG_VERSION"))
        .description(
            "An image-processing pipeline: photos go in; thumbnails, metadata, a caption and honest timings come out.\n\n\
             Every answer with a body of JSON has one envelope: `status`, `data`, `error`. A refusal has a stable `code` \
             beside its sentence.",
        )
        .license(license)
        .server(ServerObject::new("/").description("The server that gave this document"))
}

/// The document as YAML; needs no settings and no database.
#[must_use]
pub fn yaml() -> String {
    service().spec_yaml()
}

/// The document as JSON.
#[must_use]
pub fn json() -> String {
    service().spec()
}
