//! Which variables of the environment are settings.

use super::SettingsError;
use super::files::AWS_VARIABLES;
use secrecy::SecretString;
use std::collections::{BTreeMap, BTreeSet};

const PREFIX: &str = "DARKROOM_";

/// The key of the old program.
const HF_API_KEY: &str = "HF_API_KEY";

/// Ends a variable that names a file with the value, as containers are handed their secrets.
const IN_FILE: &str = "_FILE";

/// The variables that are settings, and those of others that mean something here.
pub(super) struct Ours {
    pub(super) variables: config::Map<String, String>,
    /// That of the old program.
    pub(super) hf_api_key: Option<SecretString>,
    /// Amazon's, as far as they are set to something.
    pub(super) aws: BTreeMap<String, SecretString>,
}

/// Picks them out of `environment`.
///
/// Kubernetes gives every pod variables such as `DARKROOM_API_SERVICE_HOST`, so a single underscore makes no setting;
/// but one that would be a key with a double underscore is a slip of the pen and refused.
pub(super) fn ours(
    environment: impl IntoIterator<Item = (String, String)>,
    known: &BTreeSet<String>,
) -> Result<Ours, SettingsError> {
    let (mut variables, mut hf_api_key, mut aws) = (config::Map::new(), None, BTreeMap::new());
    for (name, value) in environment {
        let (name, value) = in_file(name, value)?;
        if name == HF_API_KEY {
            hf_api_key = (!value.trim().is_empty()).then(|| SecretString::from(value.trim()));
            continue;
        }
        if AWS_VARIABLES.contains(&name.as_str()) {
            if !value.trim().is_empty() {
                aws.insert(name, SecretString::from(value.trim()));
            }
            continue;
        }
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        if rest.contains("__") {
            if variables.contains_key(&name) {
                return Err(SettingsError::Twice { variable: name });
            }
            variables.insert(name, value);
        } else if known.contains(&rest.to_lowercase().replacen('_', ".", 1)) {
            let hint = format!("; did you mean {PREFIX}{}?", rest.replacen('_', "__", 1));
            return Err(SettingsError::Unknown { key: name, hint });
        }
    }
    Ok(Ours { variables, hf_api_key, aws })
}

/// A variable as it is given, or, if it names a file, the one without the suffix and what the file holds. Editors and `echo`
/// end a file with a line break that belongs to no value.
fn in_file(name: String, value: String) -> Result<(String, String), SettingsError> {
    let Some(variable) = name.strip_suffix(IN_FILE).filter(|variable| is_ours(variable)) else {
        return Ok((name, value));
    };
    // Compose gives an empty text for a variable that nobody has set.
    if value.is_empty() {
        return Ok((variable.to_owned(), value));
    }
    match std::fs::read_to_string(&value) {
        Ok(text) => {
            let text = text.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']);
            Ok((variable.to_owned(), text.to_owned()))
        }
        Err(error) => {
            // Perhaps it is the secret itself.
            let path =
                if value.starts_with(['/', '.']) { value } else { "the file that it names".to_owned() };
            Err(SettingsError::NoFile { variable: name, path, error })
        }
    }
}

fn is_ours(variable: &str) -> bool {
    variable == HF_API_KEY || variable.strip_prefix(PREFIX).is_some_and(|rest| rest.contains("__"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use secrecy::ExposeSecret;

    fn load(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::load(None, variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn a_variable_may_name_a_file_with_the_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("url");
        std::fs::write(&path, "postgres://u:geheim@h/d\n").unwrap();
        let file = path.to_str().unwrap();
        let url = load(&[("DARKROOM_DATABASE__URL_FILE", file)]).unwrap().database.url.unwrap();
        assert_eq!(url.expose_secret(), "postgres://u:geheim@h/d");
        let key = load(&[("HF_API_KEY_FILE", file)]).unwrap().captioner.api_key.unwrap();
        assert_eq!(key.expose_secret(), "postgres://u:geheim@h/d");
        assert!(load(&[("DARKROOM_DATABASE__URL_FILE", "")]).unwrap().database.url.is_none());
        std::fs::write(&path, "").unwrap();
        assert!(load(&[("DARKROOM_DATABASE__URL_FILE", file)]).unwrap().database.url.is_none());
        for (variables, told) in [
            (&[("DARKROOM_DATABASE__URL_FILE", "/absent")][..], "DARKROOM_DATABASE__URL_FILE: /absent"),
            (
                &[("DARKROOM_DATABASE__URL_FILE", "postgres://u:geheim@h/d")],
                "DARKROOM_DATABASE__URL_FILE: the file",
            ),
            (&[("DARKROOM_DATABASE__LRU_FILE", file)], "database.lru"),
            (
                &[("DARKROOM_DATABASE__URL", "x"), ("DARKROOM_DATABASE__URL_FILE", file)],
                "DARKROOM_DATABASE__URL and",
            ),
        ] {
            let message = load(variables).expect_err("should be refused").to_string();
            assert!(!message.contains("geheim"), "{message}");
            assert!(message.contains(told), "{variables:?} gave {message:?}, which does not hold {told:?}");
        }
    }
}
