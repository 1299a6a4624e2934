//! API keys: made, read by every server, revoked. Only their digests are here.

use super::error::Doing;
use super::{Store, StoreError, execute, query, query_one, query_opt};
use crate::domain::{KeyName, Scope, Scopes, Sha256};
use std::time::Duration;
use time::OffsetDateTime;
use tokio_postgres::Row;

/// Keys that may be in force at the same time, since every server holds all of them.
const MOST: i64 = 10_000;

/// Which keys grant something; in the form of the index for it.
const IN_FORCE: &str = "revoked_at is null and coalesce(expires_at, 'infinity') > now()";

/// A key that is to be recorded.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What it is called.
    pub name: KeyName,
    /// SHA-256 of the key.
    pub digest: Sha256,
    /// What it permits.
    pub scopes: Scopes,
    /// `None` for that of the settings, 0 for no limit.
    pub requests_per_minute: Option<u32>,
    /// `None` for ever.
    pub valid_for: Option<Duration>,
}

/// What became of a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum KeyRecorded {
    /// It is in force.
    Made,
    /// There is a key of this name, or was. Nothing was written.
    NameTaken,
    /// So many keys are in force that no further one is taken. Nothing was written.
    TooMany(i64),
}

/// What became of a wish to revoke a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum KeyRevoked {
    /// It is revoked.
    Now,
    /// It was before.
    Before,
    /// There is no key of this name.
    NoSuchKey,
}

/// A key that grants something at this moment.
#[derive(Debug, Clone)]
pub struct InForce {
    /// Its number; later keys have higher ones.
    pub id: i64,
    /// What it is called.
    pub name: KeyName,
    /// SHA-256 of the key.
    pub digest: Sha256,
    /// What it permits.
    pub scopes: Scopes,
    /// `None` for that of the settings, 0 for no limit.
    pub requests_per_minute: Option<u32>,
    /// How long it will still be valid; `None` for ever.
    pub valid_for: Option<Duration>,
}

/// All that is known of a key.
#[derive(Debug, Clone)]
pub struct KeyRecord {
    /// What it is called.
    pub name: KeyName,
    /// What it permits.
    pub scopes: Scopes,
    /// `None` for that of the settings, 0 for no limit.
    pub requests_per_minute: Option<u32>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it expires or expired; `None` for never.
    pub expires_at: Option<OffsetDateTime>,
    /// Whether it has expired.
    pub is_expired: bool,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
}

impl Store {
    /// Whether the migrations have come as far as the table of keys.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn has_table_of_keys(&self) -> Result<bool, StoreError> {
        let doing = "looking for the table of API keys";
        let client = self.client(doing).await?;
        let found = query_one(&client, "select to_regclass('api_keys') is not null as found", &[]).await;
        Ok(found.doing(doing)?.get("found"))
    }

    /// Records a key, which is in force at once.
    ///
    /// # Errors
    /// If Postgres is away (then it may have been recorded) or refuses.
    pub async fn record_key(&self, key: &NewKey) -> Result<KeyRecorded, StoreError> {
        let doing = "recording an API key";
        let client = self.client(doing).await?;
        let count = format!("select count(*) as n from api_keys where {IN_FORCE}");
        let known: i64 = query_one(&client, &count, &[]).await.doing(doing)?.get("n");
        if known >= MOST {
            return Ok(KeyRecorded::TooMany(known));
        }
        let sql = "
            insert into api_keys (name, digest, scopes, requests_per_minute, expires_at)
            values ($1, $2, $3, $4, now() + $5 * interval '1 second') on conflict (name) do nothing";
        let valid_for = key.valid_for.map(|length| length.as_secs_f64());
        let rate = key.requests_per_minute.map(|rate| i32::try_from(rate).unwrap_or(i32::MAX));
        let (digest, scopes) = (key.digest.as_bytes().as_slice(), key.scopes.names());
        let made = execute(&client, sql, &[&key.name.as_str(), &digest, &scopes, &rate, &valid_for])
            .await
            .doing(doing)?;
        Ok(if made == 1 { KeyRecorded::Made } else { KeyRecorded::NameTaken })
    }

    /// The keys in force whose number is above `after`; all of them if it is 0. One that cannot be understood, such as a key
    /// with a scope that a later version has added, is an error in the place of that key alone.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn keys_in_force(&self, after: i64) -> Result<Vec<Result<InForce, StoreError>>, StoreError> {
        let doing = "reading the API keys in force";
        let client = self.client(doing).await?;
        let sql = format!(
            "select id, name, digest, scopes, requests_per_minute,
                    extract(epoch from expires_at - now())::float8 as valid_for
             from api_keys where {IN_FORCE} and id > $1"
        );
        let rows = query(&client, &sql, &[&after]).await.doing(doing)?;
        Ok(rows.iter().map(in_force).collect())
    }

    /// Notes that these keys were used, if that was not noted within the last minute.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn note_use_of_keys(&self, digests: &[Sha256]) -> Result<(), StoreError> {
        let doing = "noting which API keys were used";
        let client = self.client(doing).await?;
        let digests: Vec<&[u8]> = digests.iter().map(|digest| digest.as_bytes().as_slice()).collect();
        // Another server is noting the same, so whose row is locked needs no second note.
        let sql = "
            update api_keys set last_used_at = now() where id in (
                select id from api_keys
                where digest = any($1) and (last_used_at is null or last_used_at < now() - interval '1 minute')
                for update skip locked)";
        execute(&client, sql, &[&digests]).await.doing(doing).map(drop)
    }

    /// All keys, also those that are no longer in force, by name.
    ///
    /// # Errors
    /// If Postgres is away, refuses, or holds what cannot be understood.
    pub async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let doing = "listing the API keys";
        let client = self.client(doing).await?;
        let sql = "
            select id, name, scopes, requests_per_minute, created_at, expires_at, revoked_at, last_used_at,
                   coalesce(expires_at <= now(), false) as is_expired
            from api_keys order by name";
        let rows = query(&client, sql, &[]).await.doing(doing)?;
        rows.iter().map(record).collect()
    }

    /// Revokes a key: servers refuse it within some seconds.
    ///
    /// # Errors
    /// If Postgres is away (then it may have been revoked) or refuses.
    pub async fn revoke_key(&self, name: &KeyName) -> Result<KeyRevoked, StoreError> {
        let doing = "revoking an API key";
        let client = self.client(doing).await?;
        let sql = "update api_keys set revoked_at = now() where name = $1 and revoked_at is null";
        if execute(&client, sql, &[&name.as_str()]).await.doing(doing)? == 1 {
            return Ok(KeyRevoked::Now);
        }
        let known = query_opt(&client, "select 1 from api_keys where name = $1", &[&name.as_str()]).await;
        Ok(if known.doing(doing)?.is_some() { KeyRevoked::Before } else { KeyRevoked::NoSuchKey })
    }
}

fn in_force(row: &Row) -> Result<InForce, StoreError> {
    let digest: &[u8] = row.get("digest");
    Ok(InForce {
        id: row.get("id"),
        name: super::parsed(row, TABLE, "name", row.get("id"))?,
        digest: digest
            .try_into()
            .map(Sha256::new)
            .map_err(|error| unreadable(row, "digest", Box::new(error)))?,
        scopes: scopes(row)?,
        requests_per_minute: rate(row),
        valid_for: row
            .get::<_, Option<f64>>("valid_for")
            .map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default()),
    })
}

fn record(row: &Row) -> Result<KeyRecord, StoreError> {
    Ok(KeyRecord {
        name: super::parsed(row, TABLE, "name", row.get("id"))?,
        scopes: scopes(row)?,
        requests_per_minute: rate(row),
        created_at: row.get("created_at"),
        expires_at: row.get("expires_at"),
        is_expired: row.get("is_expired"),
        revoked_at: row.get("revoked_at"),
        last_used_at: row.get("last_used_at"),
    })
}

const TABLE: &str = "api_keys";

fn scopes(row: &Row) -> Result<Scopes, StoreError> {
    let names: Vec<&str> = row.get("scopes");
    let scopes = names.into_iter().map(str::parse::<Scope>).collect::<Result<Vec<_>, _>>();
    let scopes = scopes.map_err(|error| unreadable(row, "scopes", Box::new(error)))?;
    Scopes::new(scopes).ok_or_else(|| unreadable(row, "scopes", "there are none".into()))
}

fn rate(row: &Row) -> Option<u32> {
    row.get::<_, Option<i32>>("requests_per_minute").map(|rate| u32::try_from(rate).unwrap_or_default())
}

fn unreadable(
    row: &Row,
    column: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
) -> StoreError {
    StoreError::Unreadable { table: TABLE, column, row: row.get("id"), source }
}
