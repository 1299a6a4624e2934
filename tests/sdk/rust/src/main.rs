//! The round with the Rust client of openapi-generator.

use darkroom_client::apis::configuration::{ApiKey, Configuration};
use darkroom_client::apis::images_api::{
    DeleteImageParams, GetImageParams, GetOriginalParams, GetThumbnailError, GetThumbnailParams,
    ListImagesParams, RetryImageParams, UploadImageError, UploadImageParams, delete_image, get_image,
    get_original, get_thumbnail, list_images, retry_image, upload_image,
};
use darkroom_client::apis::statistics_api::get_stats;
use darkroom_client::apis::{Error, ResponseContent};
use darkroom_client::models::{
    ErrorBody, Image, ImageList, ImageStatus, Metadata, Stats, ThumbnailSize, Upload, UploadAnswer,
};
use serde::Serialize;
use std::path::PathBuf;
use std::{env, process};
use tokio::fs;

/// A step that failed says why.
type Step = Result<(), String>;

struct Round {
    configuration: Configuration,
    url: String,
    key: String,
    picture: PathBuf,
    bytes: Vec<u8>,
    /// The client takes files by their path only, so whatever else is sent lies or flows here.
    folder: PathBuf,
    uploaded: Vec<i64>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let given = |name| env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let (url, key, picture) = (given("SDK_URL"), given("SDK_KEY"), PathBuf::from(given("SDK_PICTURE")));
    let max_upload_bytes: usize = given("SDK_MAX_UPLOAD_BYTES").parse().expect("a number");
    let bytes = fs::read(&picture).await.expect("the picture can be read");
    let folder = env::temp_dir().join(format!("round-{}", process::id()));
    fs::create_dir(&folder).await.expect("a folder can be made");
    let configuration = Configuration {
        base_path: url.clone(),
        bearer_access_token: Some(key.clone()),
        ..Configuration::default()
    };
    let mut round = Round { configuration, url, key, picture, bytes, folder, uploaded: Vec::new() };

    let too_large = [round.bytes.clone(), vec![0; max_upload_bytes]].concat();
    let broken = round.bytes[..12].to_vec();
    tell("path", round.upload(round.picture.clone()).await);
    tell("bytes", round.bytes().await);
    tell("stream", round.stream().await);
    tell("wait", round.wait().await);
    tell("pages", round.pages().await);
    tell("thumbnails", round.thumbnails().await);
    tell("original", round.original().await);
    tell("stats", round.stats().await);
    tell("401", round.unauthorized().await);
    tell("403", round.forbidden(given("SDK_READ_KEY")).await);
    tell(
        "409",
        refused(
            409,
            "conflict",
            retry_image(&round.configuration, RetryImageParams { id: round.first() }).await,
        ),
    );
    tell("413", round.refused_upload(413, "payload_too_large", &too_large).await);
    tell("415", round.refused_upload(415, "unsupported_type", b"GIF89a, and so on").await);
    tell("422", round.refused_upload(422, "undecodable", &broken).await);
    tell("delete", round.delete().await);
    tell("404", round.not_found().await);
    fs::remove_dir_all(&round.folder).await.expect("the folder can be removed");
}

fn tell(name: &str, outcome: Step) {
    match outcome {
        Ok(()) => println!("{name} ok"),
        Err(why) => {
            eprintln!("{name}: {why}");
            println!("{name} FAILED");
        }
    }
}

fn ensure(condition: bool, otherwise: impl std::fmt::Debug) -> Step {
    if condition { Ok(()) } else { Err(format!("{otherwise:?}")) }
}

fn text(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}

/// The typed error of any operation holds the body that all of them share.
fn refused<T: std::fmt::Debug, E: Serialize>(status: u16, code: &str, outcome: Result<T, Error<E>>) -> Step {
    match outcome {
        Err(Error::ResponseError(ResponseContent { status: sent, entity: Some(entity), .. })) => {
            let body: ErrorBody =
                serde_json::to_value(entity).and_then(serde_json::from_value).map_err(text)?;
            let told = !body.error.is_empty() && !body.request_id.is_empty();
            ensure(sent.as_u16() == status && body.code == code && told, (sent, body))
        }
        Ok(answer) => Err(format!("it was not refused: {answer:?}")),
        Err(error) => Err(format!("another error than a refusal with a body: {error}")),
    }
}

/// Filters have no default, so whoever lists says each of them once.
fn all_images() -> ListImagesParams {
    ListImagesParams {
        limit: None,
        cursor: None,
        sort: None,
        status: None,
        format: None,
        q: None,
        camera: None,
        sha256: None,
        taken_from: None,
        taken_to: None,
        has_gps: None,
        finding: None,
        min_pixels: None,
        max_pixels: None,
        min_bytes: None,
        max_bytes: None,
    }
}

impl Round {
    fn first(&self) -> i64 {
        self.uploaded.first().copied().unwrap_or_default()
    }

    async fn send(&self, path: PathBuf) -> Result<UploadAnswer, Error<UploadImageError>> {
        let params = UploadImageParams { file: path, idempotency_key: None, callback_url: None };
        upload_image(&self.configuration, params).await
    }

    fn look(&self) -> GetImageParams {
        GetImageParams { id: self.first(), wait: None }
    }

    async fn thumbnail(&self, size: ThumbnailSize) -> Result<reqwest::Response, Error<GetThumbnailError>> {
        let params = GetThumbnailParams { id: self.first(), size, if_none_match: None };
        get_thumbnail(&self.configuration, params).await
    }

    async fn upload(&mut self, path: PathBuf) -> Step {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let taken: Upload = *self.send(path).await.map_err(text)?.data;
        self.uploaded.push(taken.image_id);
        let expected = taken.status == ImageStatus::Processing && Some(&taken.original_name) == name.as_ref();
        ensure(expected, taken)
    }

    async fn written(&self, name: &str, content: &[u8]) -> Result<PathBuf, String> {
        let path = self.folder.join(name);
        fs::write(&path, content).await.map_err(text)?;
        Ok(path)
    }

    async fn bytes(&mut self) -> Step {
        let path = self.written("bytes.jpg", &self.bytes).await?;
        self.upload(path).await
    }

    /// A named pipe: the client sends what is written to it, whose length it does not know.
    async fn stream(&mut self) -> Step {
        let pipe = self.folder.join("stream.jpg");
        let made = tokio::process::Command::new("mkfifo").arg(&pipe).status().await.map_err(text)?;
        ensure(made.success(), made)?;
        let writer = tokio::spawn(fs::write(pipe.clone(), self.bytes.clone()));
        self.upload(pipe).await?;
        writer.await.map_err(text)?.map_err(text)
    }

    async fn wait(&self) -> Step {
        for id in &self.uploaded {
            let image: Image = *get_image(&self.configuration, GetImageParams { id: *id, wait: Some(30.0) })
                .await
                .map_err(text)?
                .data;
            let metadata: Option<Metadata> = image.metadata.as_deref().cloned();
            let names: Vec<&str> = image.stages.iter().map(|stage| stage.name.as_str()).collect();
            let finished = image.status == ImageStatus::Success && image.completed_at.is_some();
            let measured = metadata.is_some_and(|metadata| metadata.size_bytes == self.bytes.len() as i64);
            let stages = names == ["metadata", "thumbnails", "caption"] && image.caption.is_none();
            ensure(finished && measured && stages && image.error.is_none(), &image)?;
        }
        Ok(())
    }

    async fn pages(&self) -> Step {
        let (mut seen, mut cursor, mut pages) = (Vec::new(), None::<String>, 0);
        while pages == 0 || cursor.is_some() {
            let params = ListImagesParams {
                limit: Some(2),
                cursor,
                status: Some(ImageStatus::Success),
                ..all_images()
            };
            let part: ImageList = *list_images(&self.configuration, params).await.map_err(text)?.data;
            ensure(part.images.len() <= 2, &part)?;
            seen.extend(part.images.iter().map(|image| image.image_id));
            cursor = part.next_cursor;
            pages += 1;
        }
        let in_order = seen.windows(2).all(|pair| pair[0] > pair[1]);
        ensure(pages > 1 && in_order && self.uploaded.iter().all(|id| seen.contains(id)), seen)
    }

    async fn thumbnails(&self) -> Step {
        for size in [ThumbnailSize::Small, ThumbnailSize::Medium] {
            let thumbnail = self.thumbnail(size).await.map_err(text)?;
            let bytes = thumbnail.bytes().await.map_err(text)?;
            ensure(bytes.starts_with(&[0xff, 0xd8, 0xff]), bytes)?;
        }
        Ok(())
    }

    async fn original(&self) -> Step {
        let params = GetOriginalParams { id: self.first(), range: None, if_none_match: None };
        let original = get_original(&self.configuration, params).await.map_err(text)?;
        ensure(original.bytes().await.map_err(text)? == self.bytes, "other bytes than were sent")
    }

    fn bearing(&self, token: Option<String>) -> Configuration {
        Configuration { base_path: self.url.clone(), bearer_access_token: token, ..Configuration::default() }
    }

    async fn stats(&self) -> Step {
        let key = ApiKey { prefix: None, key: self.key.clone() };
        let by_header =
            Configuration { base_path: self.url.clone(), api_key: Some(key), ..Configuration::default() };
        let stats: Stats = *get_stats(&by_header).await.map_err(text)?.data;
        let counted = stats.successful >= self.uploaded.len() as i64;
        ensure(counted && stats.stages.contains_key("thumbnails"), stats)
    }

    async fn unauthorized(&self) -> Step {
        for token in [None, Some("wrong".to_owned())] {
            refused(401, "unauthorized", get_image(&self.bearing(token), self.look()).await)?;
        }
        Ok(())
    }

    async fn forbidden(&self, read_key: String) -> Step {
        let reader = self.bearing(Some(read_key));
        refused(403, "forbidden", delete_image(&reader, DeleteImageParams { id: self.first() }).await)
    }

    async fn refused_upload(&self, status: u16, code: &str, content: &[u8]) -> Step {
        let path = self.written("refused.jpg", content).await?;
        refused(status, code, self.send(path).await)
    }

    async fn delete(&self) -> Step {
        for id in &self.uploaded {
            delete_image(&self.configuration, DeleteImageParams { id: *id }).await.map_err(text)?;
        }
        Ok(())
    }

    async fn not_found(&self) -> Step {
        let thumbnail = self.thumbnail(ThumbnailSize::Small).await;
        refused(404, "not_found", get_image(&self.configuration, self.look()).await)?;
        refused(404, "not_found", thumbnail)
    }
}
