//! What is in a bucket, page by page.

use super::Bucket;
use super::trouble::Told;
use crate::domain::FileKey;
use crate::files::FileError;
use crate::files::sweep::{Shelf, is_older};
use futures_util::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore};
use std::time::{Duration, SystemTime};

impl Bucket {
    pub(in crate::files) async fn shelves(&self) -> Result<Vec<Shelf>, FileError> {
        let mut shelves = Vec::new();
        for kind in [FileKey::ORIGINALS, FileKey::THUMBNAILS] {
            let (location, path) = self.named(kind);
            let listed = self.store.list_with_delimiter(Some(&location)).await.told("listing", &path)?;
            let names = listed.common_prefixes.iter().filter_map(|prefix| prefix.filename());
            shelves.extend(names.map(|name| Shelf::new(kind, name)));
        }
        Ok(shelves)
    }

    /// By the clock of the store.
    pub(in crate::files) async fn aged(
        &self,
        shelf: &Shelf,
        age: Duration,
    ) -> Result<Vec<FileKey>, FileError> {
        let (location, path) = self.named(shelf.name());
        let old = |object: ObjectMeta| {
            let key = object.location.filename().and_then(|name| shelf.key(name));
            key.filter(|_| is_older(SystemTime::from(object.last_modified), age))
        };
        let listed = self.store.list(Some(&location));
        listed.try_filter_map(async |object| Ok(old(object))).try_collect().await.told("listing", &path)
    }
}
