//! The schema, brought up to date by whoever starts first.

use super::error::{Doing, Fault};
use super::{Store, StoreError};
use refinery::error::Kind;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// Any number; it must only differ from the locks of other programs in the same database.
const MIGRATION_LOCK: i64 = 0x6461_726b_726f_6f6d; // "darkroom"

impl Store {
    /// Applies the migrations that are missing, one process at a time.
    ///
    /// refinery takes no lock of its own, so this one takes an advisory lock on the same session; closing the session
    /// releases it whatever happens.
    ///
    /// # Errors
    /// If Postgres is away, a migration fails, or the schema is newer than this program or has a gap.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let doing = "applying the migrations";
        let (mut client, connection) =
            self.connection.connect(tokio_postgres::NoTls).await.map_err(Fault::Driver).doing(doing)?;
        let driver = tokio::spawn(connection);
        // Another process may be migrating for long; waiting for it is not a fault. A migration may go over whole tables.
        let lock = format!(
            "set statement_timeout = 0; set lock_timeout = 0; set enable_hashjoin = on; set enable_mergejoin = on; select pg_advisory_lock({MIGRATION_LOCK})"
        );
        client.batch_execute(&lock).await.map_err(Fault::Driver).doing(doing)?;
        let runner = embedded::migrations::runner();
        let outcome = runner.run_async(&mut client).await;
        drop(client);
        // The driver ends when the client is gone; its error is the one the client already reported.
        driver.await.ok();
        let report = outcome.map_err(|error| match error.kind() {
            // Either applied by somebody and not among ours, or among ours and passed over by somebody.
            Kind::MissingVersion(missing) => {
                let is_ours = runner.get_migrations().iter().any(|own| own.version() == missing.version());
                let migration = missing.to_string();
                if is_ours { StoreError::Gap { migration } } else { StoreError::Newer { migration } }
            }
            _ => StoreError::Migration(error),
        })?;
        for migration in report.applied_migrations() {
            tracing::info!(%migration, "migration applied");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::embedded::migrations::runner;

    #[test]
    fn the_migrations_are_numbered_without_a_gap() {
        let runner = runner();
        let mut versions = Vec::from_iter(runner.get_migrations().iter().map(|own| i64::from(own.version())));
        versions.sort_unstable();
        assert_eq!(versions, Vec::from_iter((1..).take(versions.len())));
    }
}
