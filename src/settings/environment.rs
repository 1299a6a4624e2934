//! Which variables of the environment are settings.

use super::SettingsError;
use secrecy::SecretString;
use std::collections::BTreeSet;

const PREFIX: &str = "DARKROOM_";

/// Ends a variable that names a file with the value, as containers are handed their secrets.
const IN_FILE: &str = "_FILE";

/// The variables that are settings, and the one of the old program.
///
/// Kubernetes gives every pod variables such as `DARKROOM_API_SERVICE_HOST`, so a single underscore makes no setting;
/// but one that would be a key with a double underscore is a slip of the pen and refused.
pub(super) fn ours(
    environment: impl IntoIterator<Item = (String, String)>,
    known: &BTreeSet<String>,
) -> Result<(config::Map<String, String>, Option<SecretString>), SettingsError> {
    let mut variables = config::Map::new();
    let mut hf_api_key = None;
    for (name, value) in environment {
        if name == "HF_API_KEY" {
            hf_api_key = (!value.trim().is_empty()).then(|| SecretString::from(value.trim()));
            continue;
        }
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        if rest.contains("__") {
            let (name, value) = in_file(name, value)?;
            if variables.contains_key(&name) {
                return Err(SettingsError::Twice { variable: name });
            }
            variables.insert(name, value);
        } else if known.contains(&rest.to_lowercase().replacen('_', ".", 1)) {
            let hint = format!("; did you mean {PREFIX}{}?", rest.replacen('_', "__", 1));
            return Err(SettingsError::Unknown { key: name, hint });
        }
    }
    Ok((variables, hf_api_key))
}

/// A variable as it is given, or, if it names a file, the one without the suffix and what the file holds. Editors and `echo`
/// end a file with a line break that belongs to no value.
fn in_file(name: String, value: String) -> Result<(String, String), SettingsError> {
    let Some(variable) = name.strip_suffix(IN_FILE) else { return Ok((name, value)) };
    match std::fs::read_to_string(&value) {
        Ok(text) => Ok((variable.to_owned(), text.trim_end_matches(['\r', '\n']).to_owned())),
        Err(error) => Err(SettingsError::NoFile { variable: name, path: value, error }),
    }
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
        std::fs::write(&path, "").unwrap();
        assert!(load(&[("DARKROOM_DATABASE__URL_FILE", file)]).unwrap().database.url.is_none());
        for (variables, told) in [
            (&[("DARKROOM_DATABASE__URL_FILE", "/absent")][..], "DARKROOM_DATABASE__URL_FILE: /absent"),
            (&[("DARKROOM_DATABASE__LRU_FILE", file)], "database.lru"),
            (
                &[("DARKROOM_DATABASE__URL", "x"), ("DARKROOM_DATABASE__URL_FILE", file)],
                "DARKROOM_DATABASE__URL and",
            ),
        ] {
            let message = load(variables).expect_err("should be refused").to_string();
            assert!(message.contains(told), "{variables:?} gave {message:?}, which does not hold {told:?}");
        }
    }
}
