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
    /// By the clock of the store.
    pub(in crate::files) async fn aged(
        &self,
        shelf: &Shelf,
        age: Duration,
    ) -> Result<Vec<FileKey>, FileError> {
        let (location, path) = self.named(shelf.name());
        let old = |object: ObjectMeta| {
            // All that lies below is listed, but only what lies on the shelf itself is there by its key.
            let key = object.location.filename().and_then(|name| shelf.key(name));
            let key = key.filter(|key| self.named(key.as_str()).0 == object.location);
            key.filter(|_| is_older(SystemTime::from(object.last_modified), age))
        };
        let listed = self.store.list(Some(&location));
        listed.try_filter_map(async |object| Ok(old(object))).try_collect().await.told("listing", &path)
    }
}
