//! `darkroom --new-key`, `--list-keys`, `--revoke-key`: the keys of callers, in the database that the servers read.

use super::connect::{bring_up_to_date, known_store};
use crate::access::ApiKey;
use crate::domain::{KeyName, Scopes};
use crate::settings::Settings;
use crate::store::{KeyRecord, KeyRecorded, KeyRevoked, NewKey};
use anyhow::bail;
use std::time::Duration;
use time::OffsetDateTime;
use time::macros::format_description;

/// What a new key shall be.
#[derive(Debug, Clone)]
pub struct KeyWish {
    /// What it is called.
    pub name: KeyName,
    /// What it permits.
    pub scopes: Scopes,
    /// `None` for `limits.requests_per_minute`, 0 for no limit.
    pub requests_per_minute: Option<u32>,
    /// `None` for ever.
    pub days: Option<u32>,
}

/// Makes a key and records its digest. The migrations are applied before if there is no table of keys and the settings let
/// them be; servers that run on a database of an older version are not overtaken for the sake of a key.
///
/// # Errors
/// If no database is known, it is away or refuses, or there is or was a key of this name.
pub async fn new_key(settings: &Settings, wish: KeyWish) -> anyhow::Result<ApiKey> {
    let store = known_store(settings)?;
    if !store.has_table_of_keys().await? {
        bring_up_to_date(&store, settings).await?;
    }
    let key = ApiKey::generate();
    let day = Duration::from_secs(86_400);
    let new = NewKey {
        name: wish.name,
        digest: key.digest(),
        scopes: wish.scopes,
        requests_per_minute: wish.requests_per_minute,
        valid_for: wish.days.map(|days| day * days),
    };
    match store.record_key(&new).await? {
        KeyRecorded::Made => Ok(key),
        KeyRecorded::NameTaken => bail!("there is or was a key named {}: choose another name", new.name),
        KeyRecorded::TooMany(known) => bail!("{known} keys are in force, and no more can be: revoke some"),
    }
}

/// All keys, one a line, to be printed.
///
/// # Errors
/// If no database is known, or it is away or refuses.
pub async fn list_keys(settings: &Settings) -> anyhow::Result<String> {
    let keys = known_store(settings)?.keys().await?;
    let width = keys.iter().map(|key| key.name.as_str().len()).max().unwrap_or_default().max(4);
    let line = |[name, scopes, per_minute, created, used, state]: [&str; 6]| {
        format!("{name:<width$}  {scopes:<18}  {per_minute:<10}  {created:<17}  {used:<17}  {state}\n")
    };
    let mut table = line(["NAME", "SCOPES", "PER MINUTE", "CREATED", "LAST USED", "STATE"]);
    for key in &keys {
        let per_minute = match key.requests_per_minute {
            None => "default".to_owned(),
            Some(0) => "no limit".to_owned(),
            Some(limit) => limit.to_string(),
        };
        let used = key.last_used_at.map_or_else(|| "never".to_owned(), minute);
        let (scopes, created, state) = (key.scopes.to_string(), minute(key.created_at), state(key));
        table += &line([key.name.as_str(), &scopes, &per_minute, &created, &used, &state]);
    }
    Ok(table)
}

fn state(key: &KeyRecord) -> String {
    match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {}", minute(at)),
        (None, Some(at)) if key.is_expired => format!("expired {}", minute(at)),
        (None, Some(at)) => format!("in force until {}", minute(at)),
        (None, None) => "in force".to_owned(),
    }
}

fn minute(at: OffsetDateTime) -> String {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]Z");
    at.to_offset(time::UtcOffset::UTC).format(form).unwrap_or_else(|_| at.to_string())
}

/// Revokes a key; the answer is a line that says so.
///
/// # Errors
/// If there is no such key, no database is known, or it is away or refuses.
pub async fn revoke_key(settings: &Settings, name: &KeyName) -> anyhow::Result<String> {
    match known_store(settings)?.revoke_key(name).await? {
        KeyRevoked::Now => Ok(format!("{name} is revoked; servers refuse it within five seconds\n")),
        KeyRevoked::Before => Ok(format!("{name} was revoked before\n")),
        KeyRevoked::NoSuchKey => bail!("there is no key named {name}; --list-keys shows all"),
    }
}
