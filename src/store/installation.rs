//! Which installation a database belongs to.

use super::error::Doing;
use super::{Store, StoreError, query_one};

impl Store {
    /// The id that this database was given when its schema was made.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn installation(&self) -> Result<String, StoreError> {
        let doing = "reading the id of the installation";
        let client = self.client(doing).await?;
        let row = query_one(&client, "select id::text from installation", &[]).await.doing(doing)?;
        Ok(row.get("id"))
    }

    /// Whether any image was ever kept and is still known.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn has_images(&self) -> Result<bool, StoreError> {
        let doing = "looking for any image";
        let client = self.client(doing).await?;
        let row = query_one(&client, "select exists (select 1 from images) as has_images", &[])
            .await
            .doing(doing)?;
        Ok(row.get("has_images"))
    }
}
