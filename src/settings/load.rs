//! Reading the settings, and refusing what is unknown or contradicts itself.

use super::environment::{Ours, ours};
use super::{AuthMode, CaptionerProvider, DEFAULTS, Settings};
use config::{Config, ConfigError, Environment, File, FileFormat, Value, ValueKind};
use secrecy::ExposeSecret;
use std::collections::BTreeSet;
use std::path::Path;

/// Why settings were refused. Each message names the key.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A source could not be read, or a value has the wrong form.
    #[error("settings cannot be read: {0}")]
    Unreadable(#[from] ConfigError),
    /// A key that does not exist.
    #[error("there is no setting {key:?}{hint}")]
    Unknown {
        /// The key as it was given.
        key: String,
        /// What may have been meant.
        hint: String,
    },
    /// A variable names a file that cannot be read as text.
    #[error("{variable}: {path} cannot be read: {error}")]
    NoFile {
        /// The variable, with its suffix.
        variable: String,
        /// What it names.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// A value is given twice.
    #[error("{variable} and {variable}_FILE are both set; only one of them can count")]
    Twice {
        /// The variable, without the suffix.
        variable: String,
    },
    /// A value that cannot be, by itself or beside another.
    #[error("{key}: {reason}")]
    Refused {
        /// The key.
        key: &'static str,
        /// What is wrong and what to do.
        reason: String,
    },
}

impl Settings {
    /// Merges the defaults, `file` and the variables of `environment`, and checks the whole.
    ///
    /// # Errors
    /// If a source cannot be read, a key does not exist, a value has the wrong form, or two values contradict each other.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let defaults = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        let known = keys(&defaults.clone().build()?);

        let Ours { variables, hf_api_key, aws } = ours(environment, &known)?;
        let mut given = Config::builder();
        if let Some(path) = file {
            given = given.add_source(File::from(path).format(FileFormat::Toml));
        }
        let given = given.add_source(
            Environment::with_prefix("DARKROOM")
                .prefix_separator("_")
                .separator("__")
                .source(Some(variables)),
        );
        let given = given.build()?;
        if let Some(key) = keys(&given).difference(&known).next() {
            return Err(SettingsError::Unknown { key: key.clone(), hint: String::new() });
        }

        let mut settings: Self = defaults.add_source(given).build()?.try_deserialize()?;
        if settings.captioner.api_key.is_none() {
            settings.captioner.api_key = hf_api_key;
        }
        settings.files.adopt(aws)?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), SettingsError> {
        self.check_access()?;
        self.check_times()?;
        self.check_numbers()?;
        self.check_others()
    }

    fn check_access(&self) -> Result<(), SettingsError> {
        let auth = &self.auth;
        refuse_if(
            auth.mode == AuthMode::Local && !self.http.listen.ip().is_loopback(),
            "http.listen",
            format!(
                "{} can be reached from outside; say auth.mode = \"keys\" and make one with --new-key, or say auth.mode = \"open\"",
                self.http.listen
            ),
        )?;
        refuse_if(
            auth.mode != AuthMode::Keys && !auth.key_hashes.is_empty(),
            "auth.mode",
            "auth.key_hashes lists keys, but without auth.mode = \"keys\" nobody would be asked for one",
        )
    }

    fn check_times(&self) -> Result<(), SettingsError> {
        let worker = &self.worker;
        refuse_if(
            worker.lease < worker.renew * 3,
            "worker.lease_seconds",
            "must be at least three times worker.renew_seconds, or one slow renewal loses the job",
        )?;
        refuse_if(
            worker.backoff_first > worker.backoff_longest,
            "worker.backoff_first_seconds",
            "is longer than worker.backoff_longest_seconds",
        )?;
        refuse_if(
            self.webhooks.backoff_first > self.webhooks.backoff_longest,
            "webhooks.backoff_first_seconds",
            "is longer than webhooks.backoff_longest_seconds",
        )?;
        refuse_if(
            self.captioner.call.saturating_mul(self.captioner.providers()) > worker.caption_limit,
            "captioner.call_seconds",
            "is longer, for all providers one after the other, than worker.caption_seconds, the limit of the whole job",
        )?;
        // A file is younger than its row by the rest of an upload, or by the rest of an attempt and the retries of its commit.
        let youngest_orphan = self.http.upload_total.max(worker.image_limit + worker.lease * 2);
        self.files.check(youngest_orphan)
    }

    fn check_numbers(&self) -> Result<(), SettingsError> {
        let (limits, worker) = (&self.limits, &self.worker);
        let positive = |is_zero: bool, key| refuse_if(is_zero, key, "must be at least 1");
        positive(limits.max_upload_bytes == 0, "limits.max_upload_bytes")?;
        positive(limits.max_pixels == 0, "limits.max_pixels")?;
        positive(limits.max_uploads_in_hand == 0, "limits.max_uploads_in_hand")?;
        positive(limits.max_connections == 0, "limits.max_connections")?;
        positive(limits.max_event_clients == 0, "limits.max_event_clients")?;
        refuse_if(limits.max_connections > 1_000_000, "limits.max_connections", "must be at most 1000000")?;
        refuse_if(
            limits.requests_per_minute > 100_000,
            "limits.requests_per_minute",
            "must be at most 100000; 0 means no limit",
        )?;
        positive(worker.caption_concurrency == 0, "worker.caption_concurrency")?;
        positive(worker.webhook_concurrency == 0, "worker.webhook_concurrency")?;
        positive(worker.max_attempts == 0, "worker.max_attempts")?;
        positive(self.webhooks.max_attempts == 0, "webhooks.max_attempts")?;
        positive(worker.memory_budget_bytes == 0, "worker.memory_budget_bytes")?;
        positive(self.captioner.max_chars == 0, "captioner.max_chars")?;
        positive(self.captioner.breaker_failures == 0, "captioner.breaker_failures")?;
        let too_many = |attempts, key| refuse_if(attempts > 100, key, "must be at most 100");
        too_many(worker.max_attempts, "worker.max_attempts")?;
        too_many(self.webhooks.max_attempts, "webhooks.max_attempts")?;
        let (days, century) = (self.retention.history_days, 36_500);
        refuse_if(days > century, "retention.history_days", "must be at most 36500; 0 means for ever")?;
        let hours = self.retention.events_hours;
        refuse_if(
            hours > century * 24,
            "retention.events_hours",
            "must be at most 876000; 0 means for ever",
        )?;
        let connections = self.database.max_connections;
        refuse_if(
            connections < 2,
            "database.max_connections",
            "must be at least 2: one renews leases while another works",
        )
    }

    fn check_others(&self) -> Result<(), SettingsError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let prefix = &self.amqp.prefix;
        refuse_if(
            prefix.is_empty() || prefix.len() > 100 || !prefix.chars().all(plain),
            "amqp.prefix",
            "must be 1 to 100 letters, digits, '-', '_' or '.'",
        )?;
        refuse_if(
            self.amqp.publish.as_secs_f64() > 8.0,
            "amqp.publish_seconds",
            "must be at most 8, or a batch of announcements would be given up before the broker is",
        )?;
        if let Some(url) = &self.amqp.url {
            let scheme = url.expose_secret().split("://").next().unwrap_or_default();
            refuse_if(
                !matches!(scheme, "amqp" | "amqps"),
                "amqp.url",
                "must start with amqp:// or amqps://",
            )?;
        }
        let captioner = &self.captioner;
        let named = !matches!(captioner.provider, CaptionerProvider::Auto | CaptionerProvider::Off);
        refuse_if(
            !named && !captioner.url.is_empty() && captioner.api_key.is_none(),
            "captioner.url",
            "is set, but without captioner.provider (or a key) nothing would be sent there",
        )?;
        refuse_if(
            !(0.0..=2.0).contains(&captioner.temperature),
            "captioner.temperature",
            "must be from 0 to 2",
        )?;
        refuse_if(
            captioner.form().is_none() && !captioner.fallbacks.is_empty(),
            "captioner.fallbacks",
            "is set, but without captioner.provider (or a key) there is nothing to fall back from",
        )?;
        refuse_if(
            self.webhooks.url.is_some() && self.webhooks.secret.is_none(),
            "webhooks.url",
            "is set, but without webhooks.secret nobody could tell whether a call is ours",
        )?;
        self.traces.check()
    }
}

pub(super) fn refuse_if(
    refused: bool,
    key: &'static str,
    reason: impl Into<String>,
) -> Result<(), SettingsError> {
    if refused { Err(SettingsError::Refused { key, reason: reason.into() }) } else { Ok(()) }
}

/// The dotted names of all values in `config`.
fn keys(config: &Config) -> BTreeSet<String> {
    fn walk(prefix: &str, value: &Value, into: &mut BTreeSet<String>) {
        match &value.kind {
            ValueKind::Table(table) => table.iter().for_each(|(name, value)| {
                let dotted = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                walk(&dotted, value, into);
            }),
            _ => drop(into.insert(prefix.to_owned())),
        }
    }
    let mut into = BTreeSet::new();
    walk("", &config.cache, &mut into);
    into
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::load(None, variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())))
    }

    fn refusal(variables: &[(&str, &str)]) -> String {
        load(variables).expect_err("should be refused").to_string()
    }

    #[test]
    fn the_defaults_are_complete_and_coherent() {
        let settings = load(&[]).unwrap();
        assert_eq!(settings.http.listen.to_string(), "127.0.0.1:8080");
        assert!(settings.database.url.is_none() && settings.captioner.api_key.is_none());
    }

    #[test]
    fn the_environment_overrides_and_is_typed() {
        let settings = load(&[
            ("DARKROOM_HTTP__LISTEN", "127.0.0.1:0"),
            ("DARKROOM_DATABASE__URL", "postgres://u:geheim@h/d"),
            ("DARKROOM_WORKER__LEASE_SECONDS", "1.5"),
            ("DARKROOM_WORKER__RENEW_SECONDS", "0.2"),
            ("DARKROOM_AMQP__PREFIX", "007"),
            ("HF_API_KEY", "hf_x"),
            ("DARKROOM_API_SERVICE_HOST", "10.0.0.1"),
        ])
        .unwrap();
        assert_eq!(settings.http.listen.port(), 0);
        assert_eq!(settings.worker.lease.as_millis(), 1500);
        assert_eq!(settings.amqp.prefix, "007", "a text stays one");
        assert!(settings.captioner.api_key.is_some());
        assert!(!format!("{settings:?}").contains("geheim"), "a secret was printed");
    }

    #[test]
    fn a_key_in_place_of_its_hash_is_not_repeated() {
        let message =
            refusal(&[("DARKROOM_AUTH__MODE", "keys"), ("DARKROOM_AUTH__KEY_HASHES", "open sesame")]);
        assert!(!message.contains("sesame"), "{message}");
    }

    #[test]
    fn lists_are_separated_by_commas() {
        let two = format!("{},{}", "ab".repeat(32), "cd".repeat(32));
        let settings = load(&[("DARKROOM_AUTH__MODE", "keys"), ("DARKROOM_AUTH__KEY_HASHES", &two)]).unwrap();
        assert_eq!(settings.auth.key_hashes.len(), 2);
    }

    #[test]
    fn fallbacks_are_a_list_of_tables_or_the_same_as_json() {
        let two = r#"[{"provider":"openai_chat","url":"http://h/v1","api_key":"geheim","calls_per_day":7},
                      {"provider":"hf_image_to_text"}]"#;
        let settings = load(&[
            ("HF_API_KEY", "hf_x"),
            ("DARKROOM_CAPTIONER__FALLBACKS", two),
            ("DARKROOM_CAPTIONER__CALL_SECONDS", "40"),
        ])
        .unwrap();
        let [first, second] = &settings.captioner.fallbacks[..] else { panic!("{:?}", settings.captioner) };
        assert_eq!((first.url.as_str(), first.calls_per_day, first.calls_per_minute), ("http://h/v1", 7, 0));
        assert!(first.api_key.is_some() && second.api_key.is_none() && second.model.is_empty());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("darkroom.toml");
        std::fs::write(
            &path,
            "[captioner]\nprovider = \"openai_chat\"\n[[captioner.fallbacks]]\nprovider = \"openai_chat\"\n",
        )
        .unwrap();
        assert_eq!(Settings::load(Some(&path), []).unwrap().captioner.fallbacks.len(), 1);
        let message = refusal(&[("DARKROOM_CAPTIONER__FALLBACKS", r#"[{"api_key":"geheim"}]"#)]);
        assert!(!message.contains("geheim"), "{message}");
    }

    #[test]
    fn every_refusal_names_the_key() {
        let cases: &[(&[(&str, &str)], &str)] = &[
            (&[("DARKROOM_HTTP__LISTNE", "x")], "http.listne"),
            (&[("DARKROOM_HTTP_LISTEN", "127.0.0.1:1")], "DARKROOM_HTTP__LISTEN"),
            (&[("DARKROOM_HTTP__LISTEN", "nonsense")], "http.listen"),
            (&[("DARKROOM_HTTP__LISTEN", "0.0.0.0:80")], "http.listen"),
            (&[("DARKROOM_AUTH__KEY_HASHES", &"ab".repeat(32))], "auth.mode"),
            (&[("DARKROOM_AUTH__MODE", "keys"), ("DARKROOM_AUTH__KEY_HASHES", "secret")], "auth.key_hashes"),
            (&[("DARKROOM_WORKER__RENEW_SECONDS", "40")], "worker.lease_seconds"),
            (&[("DARKROOM_WORKER__LEASE_SECONDS", "-1")], "worker.lease_seconds"),
            (&[("DARKROOM_WORKER__CONCURRENCY", "many")], "worker.concurrency"),
            (&[("DARKROOM_FILES__SWEEP_AFTER_SECONDS", "60")], "files.sweep_after_seconds"),
            (&[("DARKROOM_AMQP__URL", "http://x")], "amqp.url"),
            (&[("DARKROOM_AMQP__PREFIX", "a b")], "amqp.prefix"),
            (&[("DARKROOM_AMQP__PUBLISH_SECONDS", "9")], "amqp.publish_seconds"),
            (&[("DARKROOM_CAPTIONER__PROVIDER", "magic")], "captioner.provider"),
            (&[("DARKROOM_CAPTIONER__URL", "http://localhost:11434/v1")], "captioner.url"),
            (&[("DARKROOM_CAPTIONER__TEMPERATURE", "3")], "captioner.temperature"),
            (&[("DARKROOM_CAPTIONER__BREAKER_FAILURES", "0")], "captioner.breaker_failures"),
            (&[("DARKROOM_CAPTIONER__FALLBACKS", r#"[{"provider":"openai_chat"}]"#)], "captioner.fallbacks"),
            (&[("DARKROOM_CAPTIONER__FALLBACKS", "sk-key")], "captioner.fallbacks"),
            (&[("DARKROOM_CAPTIONER__FALLBACKS", r#"[{"provider":"auto"}]"#)], "captioner.fallbacks"),
            (&[("DARKROOM_CAPTIONER__CALL_SECONDS", "121")], "captioner.call_seconds"),
            (&[("DARKROOM_WEBHOOKS__URL", "https://example.com/")], "webhooks.secret"),
            (&[("DARKROOM_WEBHOOKS__URL", "ftp://example.com/")], "webhooks.url"),
            (&[("DARKROOM_WEBHOOKS__BACKOFF_FIRST_SECONDS", "30000")], "webhooks.backoff_first_seconds"),
            (&[("DARKROOM_WEBHOOKS__MAX_ATTEMPTS", "0")], "webhooks.max_attempts"),
            (&[("DARKROOM_LIMITS__MAX_PIXELS", "0")], "limits.max_pixels"),
            (&[("DARKROOM_LIMITS__MAX_CONNECTIONS", "0")], "limits.max_connections"),
            (&[("DARKROOM_LIMITS__MAX_CONNECTIONS", "2000000")], "limits.max_connections"),
            (&[("DARKROOM_LIMITS__REQUESTS_PER_MINUTE", "200000")], "limits.requests_per_minute"),
            (&[("DARKROOM_HTTP__HEADER_SECONDS", "0")], "http.header_seconds"),
            (&[("DARKROOM_RETENTION__HISTORY_DAYS", "40000")], "retention.history_days"),
            (&[("DARKROOM_RETENTION__EVENTS_HOURS", "900000")], "retention.events_hours"),
            (&[("DARKROOM_LIMITS__MAX_EVENT_CLIENTS", "0")], "limits.max_event_clients"),
        ];
        for (variables, key) in cases {
            let message = refusal(variables);
            assert!(message.contains(key), "{variables:?} gave {message:?}, which does not name {key}");
        }
    }

    #[test]
    fn a_file_overrides_defaults_and_its_unknown_keys_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("darkroom.toml");
        std::fs::write(&path, "[limits]\nmax_pixels = 7\n").unwrap();
        assert_eq!(Settings::load(Some(&path), []).unwrap().limits.max_pixels, 7);
        std::fs::write(&path, "[limits]\nmax_pixel = 7\n").unwrap();
        let message = Settings::load(Some(&path), []).unwrap_err().to_string();
        assert!(message.contains("limits.max_pixel"), "{message}");
        assert!(Settings::load(Some(&folder.path().join("absent.toml")), []).is_err());
    }
}
