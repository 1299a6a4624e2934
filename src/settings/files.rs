//! `files.*`: where originals and thumbnails are kept.

use super::SettingsError;
use super::load::refuse_if;
use super::sections::{seconds, secret};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// The variables of Amazon's own programs that are understood too, where `files.*` says nothing else.
///
/// A list, because the object store's library knows more of them, which would change what is promised here: one turns off
/// signatures, another the encryption of connections.
pub(super) const AWS_VARIABLES: [&str; 14] = [
    ACCESS_KEY_ID,
    SECRET_ACCESS_KEY,
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    // Roles: of a service account in Kubernetes, of a pod, of a task.
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

const ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";

/// What the age of an object may be wrong by: S3 refuses requests of clocks that differ from its own by more than 15 minutes.
const WRONG_AGE: Duration = Duration::from_secs(1800);

/// `files.*`
#[derive(Debug, Clone, Deserialize)]
pub struct Files {
    #[serde(deserialize_with = "location")]
    url: Option<Location>,
    /// The folder of files; where they are in a bucket, that of uploads which are still coming in.
    pub dir: PathBuf,
    /// Age of an orphan.
    #[serde(rename = "sweep_after_seconds", deserialize_with = "seconds")]
    pub sweep_after: Duration,
    /// Period of the sweep.
    #[serde(rename = "sweep_every_seconds", deserialize_with = "seconds")]
    pub sweep_every: Duration,
    /// Where the object store is asked; `None` for Amazon's own.
    #[serde(deserialize_with = "endpoint")]
    pub s3_endpoint: Option<Url>,
    #[serde(deserialize_with = "text")]
    s3_region: Option<String>,
    #[serde(deserialize_with = "text")]
    s3_access_key_id: Option<String>,
    #[serde(deserialize_with = "secret")]
    s3_secret_access_key: Option<SecretString>,
    /// How a bucket is named in a request.
    pub s3_addressing: S3Addressing,
    /// Whether connections may be without encryption.
    pub s3_allow_http: bool,
    /// Length allowed to one request, and to a silence within an answer.
    #[serde(rename = "s3_call_seconds", deserialize_with = "seconds")]
    pub s3_call: Duration,
    /// Length allowed to writing one file of several parts.
    #[serde(rename = "s3_write_seconds", deserialize_with = "seconds")]
    pub s3_write: Duration,
    /// Those of [`AWS_VARIABLES`] that are set.
    #[serde(skip)]
    aws: BTreeMap<String, SecretString>,
}

/// Where files are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilesPlace<'a> {
    /// In a folder.
    Folder(&'a Path),
    /// In a bucket of an object store that speaks S3.
    Bucket {
        /// Its name.
        name: &'a str,
        /// What the name of each object begins with: empty, or segments separated by slashes.
        prefix: &'a str,
    },
}

/// `files.s3_addressing`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum S3Addressing {
    /// In the path: `https://host/bucket/key`.
    Path,
    /// In the name of the host: `https://bucket.host/key`.
    Virtual,
}

/// As whom requests are signed.
#[derive(Debug, Clone)]
pub enum S3Identity<'a> {
    /// With this key.
    Key {
        /// Its name.
        id: &'a str,
        /// What it signs with.
        secret: &'a SecretString,
    },
    /// As Amazon's variables say (names and values), and without any as the role of this machine.
    Aws(Vec<(&'a str, &'a SecretString)>),
}

/// `files.url`
#[derive(Debug, Clone)]
enum Location {
    Folder(PathBuf),
    Bucket { name: String, prefix: String },
}

impl Files {
    /// Where files are kept: `files.url`, or without it the folder `files.dir`.
    #[must_use]
    pub fn place(&self) -> FilesPlace<'_> {
        match &self.url {
            None => FilesPlace::Folder(&self.dir),
            Some(Location::Folder(folder)) => FilesPlace::Folder(folder),
            Some(Location::Bucket { name, prefix }) => FilesPlace::Bucket { name, prefix },
        }
    }

    /// The region of the bucket, if it is said.
    #[must_use]
    pub fn s3_region(&self) -> Option<&str> {
        self.s3_region.as_deref()
    }

    /// As whom requests are signed.
    #[must_use]
    pub fn s3_identity(&self) -> S3Identity<'_> {
        match (&self.s3_access_key_id, &self.s3_secret_access_key) {
            (Some(id), Some(secret)) => S3Identity::Key { id, secret },
            _ => S3Identity::Aws(self.aws.iter().map(|(name, value)| (name.as_str(), value)).collect()),
        }
    }

    /// Takes over what Amazon's variables say and the settings do not.
    pub(super) fn adopt(&mut self, mut aws: BTreeMap<String, SecretString>) -> Result<(), SettingsError> {
        let mut first = |names: [&str; 2]| {
            let values = names.map(|name| aws.remove(name).map(|value| value.expose_secret().to_owned()));
            values.into_iter().flatten().next()
        };
        let (region, endpoint) =
            (first(["AWS_REGION", "AWS_DEFAULT_REGION"]), first(["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]));
        self.s3_region = self.s3_region.take().or(region);
        if self.s3_endpoint.is_none() && self.is_bucket() {
            self.s3_endpoint = endpoint.map(|text| parse_endpoint(&text)).transpose().map_err(|reason| {
                SettingsError::Refused { key: "AWS_ENDPOINT_URL", reason: reason.to_owned() }
            })?;
        }
        self.aws = aws;
        Ok(())
    }

    /// Refuses what contradicts itself. `youngest` is the age up to which a file may still be in use without a row, beside the
    /// time that keeping it takes: an object is as old as the beginning of its upload.
    pub(super) fn check(&self, youngest: Duration) -> Result<(), SettingsError> {
        // Around the parts there are a few more requests.
        let keeping = self.s3_write + self.s3_call * 5;
        let youngest = if self.is_bucket() { youngest + keeping + WRONG_AGE } else { youngest };
        refuse_if(
            self.sweep_after <= youngest,
            "files.sweep_after_seconds",
            format!(
                "must exceed {} s, or the sweep could take files that are still in use",
                youngest.as_secs()
            ),
        )?;
        if !self.is_bucket() {
            return Ok(());
        }
        refuse_if(
            self.s3_access_key_id.is_some() != self.s3_secret_access_key.is_some(),
            "files.s3_secret_access_key",
            "and files.s3_access_key_id belong together: one without the other signs nothing",
        )?;
        refuse_if(
            self.s3_access_key_id.is_none()
                && self.aws.contains_key(ACCESS_KEY_ID) != self.aws.contains_key(SECRET_ACCESS_KEY),
            SECRET_ACCESS_KEY,
            "and AWS_ACCESS_KEY_ID belong together: one without the other signs nothing",
        )?;
        let is_plain = self.s3_endpoint.as_ref().is_some_and(|endpoint| endpoint.scheme() == "http");
        refuse_if(
            is_plain && !self.s3_allow_http,
            "files.s3_endpoint",
            "is http://, over which everybody on the way can read the pictures; say files.s3_allow_http = true, or https://",
        )
    }

    const fn is_bucket(&self) -> bool {
        matches!(self.url, Some(Location::Bucket { .. }))
    }
}

/// None of these repeats the text: somebody may have put a password there.
fn parse_location(text: &str) -> Result<Location, &'static str> {
    let form = "must be file:///path/of/a/folder or s3://bucket/prefix";
    let url = Url::parse(text).map_err(|_| form)?;
    let is_bare = url.query().is_none() && url.fragment().is_none();
    match url.scheme() {
        "file" if is_bare => url.to_file_path().map(Location::Folder).map_err(|()| form),
        "s3" if is_bare && url.username().is_empty() && url.password().is_none() && url.port().is_none() => {
            let name = url.host_str().unwrap_or_default();
            let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
            if !(3..=63).contains(&name.len()) || !name.chars().all(is_name) {
                return Err("must name a bucket: 3 to 63 lower-case letters, digits, '-' or '.'");
            }
            let prefix = url.path().trim_matches('/');
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            let is_segment = |part: &str| part.chars().all(is_plain) && !part.chars().all(|c| c == '.');
            if !prefix.is_empty() && !prefix.split('/').all(is_segment) {
                return Err(
                    "must have a prefix of letters, digits, '-', '_' and '.', in parts separated by one '/'",
                );
            }
            Ok(Location::Bucket { name: name.to_owned(), prefix: prefix.to_owned() })
        }
        _ => Err(form),
    }
}

fn parse_endpoint(text: &str) -> Result<Url, &'static str> {
    let form = "must be https://host or https://host:port, without a user and without the bucket";
    let url = Url::parse(text).map_err(|_| form)?;
    let is_bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if matches!(url.scheme(), "http" | "https") && url.has_host() && is_bare { Ok(url) } else { Err(form) }
}

fn location<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Location>, D::Error> {
    let Some(text) = text(from)? else { return Ok(None) };
    parse_location(&text).map(Some).map_err(|why| serde::de::Error::custom(format!("files.url {why}")))
}

fn endpoint<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Url>, D::Error> {
    let Some(text) = text(from)? else { return Ok(None) };
    parse_endpoint(&text)
        .map(Some)
        .map_err(|why| serde::de::Error::custom(format!("files.s3_endpoint {why}")))
}

fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    Ok(Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn load(variables: &[(&str, &str)]) -> Result<Files, SettingsError> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::load(None, variables).map(|settings| settings.files)
    }

    const URL: &str = "DARKROOM_FILES__URL";

    #[test]
    fn a_url_says_where_and_without_one_the_folder_does() {
        let folder = |path| FilesPlace::Folder(Path::new(path));
        assert_eq!(load(&[]).unwrap().place(), folder("data/files"));
        let dir = ("DARKROOM_FILES__DIR", "/srv/files");
        assert_eq!(load(&[dir]).unwrap().place(), folder("/srv/files"));
        assert_eq!(load(&[dir, (URL, "")]).unwrap().place(), folder("/srv/files"));
        assert_eq!(load(&[dir, (URL, "file:///srv/my%20files")]).unwrap().place(), folder("/srv/my files"));
        for (url, prefix) in [("s3://my.photos-1", ""), ("s3://my.photos-1/a/b_C.d/", "a/b_C.d")] {
            let files = load(&[dir, (URL, url)]).unwrap();
            assert_eq!(files.place(), FilesPlace::Bucket { name: "my.photos-1", prefix });
            assert_eq!(files.dir, Path::new("/srv/files"));
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_name_and_not_repeated() {
        let bucket = (URL, "s3://photos");
        let cases: &[(&[(&str, &str)], &str)] = &[
            (&[(URL, "geheim")], "files.url"),
            (&[(URL, "https://geheim.example.com")], "files.url"),
            (&[(URL, "file://geheim/x")], "files.url"),
            (&[(URL, "s3://key:geheim@photos")], "files.url"),
            (&[(URL, "s3://ge")], "files.url"),
            (&[(URL, "s3://Geheim")], "files.url"),
            (&[(URL, "s3://photos/ge%20heim")], "files.url"),
            (&[(URL, "s3://photos/a//geheim")], "files.url"),
            (&[(URL, "s3://photos?geheim")], "files.url"),
            (&[bucket, ("DARKROOM_FILES__S3_ENDPOINT", "geheim")], "files.s3_endpoint"),
            (&[bucket, ("DARKROOM_FILES__S3_ENDPOINT", "https://a:geheim@h")], "files.s3_endpoint"),
            (&[bucket, ("DARKROOM_FILES__S3_ENDPOINT", "http://geheim")], "files.s3_allow_http"),
            (&[bucket, ("AWS_ENDPOINT_URL", "http://geheim")], "files.s3_allow_http"),
            (&[bucket, ("AWS_ENDPOINT_URL", "geheim")], "AWS_ENDPOINT_URL"),
            (&[bucket, ("DARKROOM_FILES__S3_ACCESS_KEY_ID", "geheim")], "files.s3_secret_access_key"),
            (&[bucket, ("AWS_SECRET_ACCESS_KEY", "geheim")], "AWS_SECRET_ACCESS_KEY"),
            (&[bucket, ("DARKROOM_FILES__S3_ADDRESSING", "dns")], "files.s3_addressing"),
            (&[bucket, ("DARKROOM_FILES__SWEEP_AFTER_SECONDS", "2300")], "files.sweep_after_seconds"),
            (&[bucket, ("DARKROOM_FILES__S3_WRITE_SECONDS", "1500")], "files.sweep_after_seconds"),
        ];
        for (variables, key) in cases {
            let message = load(variables).expect_err("should be refused").to_string();
            assert!(message.contains(key), "{variables:?} gave {message:?}, which does not name {key}");
            assert!(!message.contains("geheim"), "{message}");
        }
        let unused = [("AWS_ENDPOINT_URL", "http://elsewhere"), ("AWS_ACCESS_KEY_ID", "x")];
        assert!(load(&unused).is_ok(), "for others, as long as files are in a folder");
    }

    #[test]
    fn amazons_variables_stand_in_for_what_is_not_set() {
        let aws = [
            (URL, "s3://photos"),
            ("AWS_ACCESS_KEY_ID", "theirs"),
            ("AWS_SECRET_ACCESS_KEY", "their secret"),
            ("AWS_DEFAULT_REGION", "eu-west-9"),
            ("AWS_ENDPOINT_URL", "https://store.example.com"),
            ("AWS_SKIP_SIGNATURE", "true"),
        ];
        let files = load(&aws).unwrap();
        assert_eq!(files.s3_region(), Some("eu-west-9"));
        assert_eq!(files.s3_endpoint.as_ref().map(Url::as_str), Some("https://store.example.com/"));
        let S3Identity::Aws(known) = files.s3_identity() else { panic!("{files:?}") };
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]);

        let own = [
            ("DARKROOM_FILES__S3_ACCESS_KEY_ID", "ours"),
            ("DARKROOM_FILES__S3_SECRET_ACCESS_KEY", "our secret"),
            ("DARKROOM_FILES__S3_REGION", "us-east-2"),
            ("DARKROOM_FILES__S3_ENDPOINT", "http://127.0.0.1:9000"),
            ("DARKROOM_FILES__S3_ALLOW_HTTP", "true"),
        ];
        let files = load(&[&aws[..], &own].concat()).unwrap();
        assert_eq!(files.s3_region(), Some("us-east-2"));
        assert_eq!(files.s3_endpoint.as_ref().map(Url::as_str), Some("http://127.0.0.1:9000/"));
        let S3Identity::Key { id, secret } = files.s3_identity() else { panic!("{files:?}") };
        assert_eq!((id, secret.expose_secret()), ("ours", "our secret"));
        assert!(!format!("{files:?}").contains("secret\""), "a secret was printed: {files:?}");
    }
}
