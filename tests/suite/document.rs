//! The OpenAPI document: what is checked in is what the program says.

use darkroom::settings::DEFAULTS;
use serde_json::Value;

const README: &str = include_str!("../../README.md");

#[test]
fn the_checked_in_document_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.yaml");
    let checked_in = std::fs::read_to_string(path).unwrap();
    assert!(checked_in == darkroom::http::yaml(), "openapi/openapi.yaml is out of date: run ./dev openapi");
}

#[test]
fn every_operation_is_named_described_and_refuses_in_the_envelope() {
    let document: Value = serde_json::from_str(&darkroom::http::json()).unwrap();
    let mut names = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let name = operation["operationId"]
                .as_str()
                .unwrap_or_else(|| panic!("{method} {path} has no operationId"));
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{name}");
            names.push(name.to_owned());
            for (status, response) in operation["responses"].as_object().unwrap() {
                assert!(
                    response["description"].as_str().is_some_and(|text| !text.is_empty()),
                    "{name} {status}"
                );
                if status.as_str() >= "400" && !path.ends_with('z') {
                    let schema = &response["content"]["application/json"]["schema"]["$ref"];
                    assert_eq!(schema, "#/components/schemas/ErrorBody", "{name} {status}");
                }
            }
        }
    }
    names.sort_unstable();
    let unique = names.windows(2).all(|pair| pair[0] != pair[1]);
    assert!(unique && names.len() >= 8, "{names:?}");
}

#[test]
fn the_readme_names_every_setting_and_every_path() {
    let mut section = String::new();
    for line in DEFAULTS.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            let key = format!("| `{section}.{name}` |");
            assert!(README.contains(&key), "the table of settings in README.md lacks {key}");
        }
    }
    let document: Value = serde_json::from_str(&darkroom::http::json()).unwrap();
    for path in document["paths"].as_object().unwrap().keys() {
        let example = path.trim_end_matches('/').replace("{id}", "1").replace("{size}", "small");
        assert!(README.contains(&example), "README.md shows no call of {example}");
    }
}
