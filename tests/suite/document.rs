//! The OpenAPI document: what is checked in is what the program says.

use darkroom::settings::DEFAULTS;
use serde_json::{Value, json};

const README: &str = include_str!("../../README.md");

#[test]
fn the_checked_in_document_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.yaml");
    let checked_in = std::fs::read_to_string(path).unwrap();
    assert!(checked_in == darkroom::http::yaml(), "openapi/openapi.yaml is out of date: run ./dev openapi");
}

/// Path, method and the operation itself.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let all = paths.flat_map(|(path, operations)| {
        let operations = operations.as_object().unwrap().iter();
        operations.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    });
    all.collect()
}

/// Below `/api`, and for what is told of the whole to who scrapes it.
fn asks_for_keys(path: &str) -> bool {
    path.starts_with("/api/") || path == "/metrics"
}

fn entries(object: &Value) -> impl Iterator<Item = (&str, &Value)> {
    object.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

#[test]
fn every_operation_is_named_described_and_says_who_may_call() {
    let document: Value = serde_json::from_str(&darkroom::http::json()).unwrap();
    let mut names = Vec::new();
    for (path, method, operation) in operations(&document) {
        let name =
            operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path}: operationId"));
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
        assert!(is_text(&operation["summary"]) && is_text(&operation["description"]), "{name}");
        assert!(is_text(&operation["tags"][0]), "{name}");
        let keys: &[&str] = if asks_for_keys(path) { &["bearer", "api_key"] } else { &[] };
        let security = operation["security"].as_array().unwrap_or_else(|| panic!("{name}: security"));
        let accepted: Vec<_> =
            security.iter().map(|one| entries(one).map(|(scheme, _)| scheme).next()).collect();
        let expected = keys.iter().map(|key| Some(*key)).chain([None]);
        assert!(accepted.iter().copied().eq(expected), "{name}: {accepted:?}");
        let scope = operation["responses"]["403"]["description"].as_str().unwrap_or_default();
        let names_one = ["`read`", "`write`", "`admin`"].iter().any(|scope_of| scope.contains(scope_of));
        assert_eq!(names_one, asks_for_keys(path), "{name}: has it a row in NEEDS (src/http/scopes.rs)?");
        names.push(name);
    }
    names.sort_unstable();
    let unique = names.windows(2).all(|pair| pair[0] != pair[1]);
    assert!(unique && names.len() >= 8, "{names:?}");
}

#[test]
fn every_answer_is_described_and_all_json_has_the_envelope() {
    let document: Value = serde_json::from_str(&darkroom::http::json()).unwrap();
    for (path, _, operation) in operations(&document) {
        let name = &operation["operationId"];
        let may_refuse_keys = operation["responses"]["401"].is_object();
        assert_eq!(may_refuse_keys, asks_for_keys(path), "{name}: may keys be asked for?");
        for (status, answer) in entries(&operation["responses"]) {
            assert!(is_text(&answer["description"]), "{name} {status}");
            for (media_type, content) in entries(&answer["content"]) {
                // A parameter of the media type makes generators miss it.
                assert!(!media_type.contains(';'), "{name} {status}: {media_type}");
                let schema = &content["schema"];
                match media_type {
                    "application/json" => {
                        let reference = schema["$ref"].as_str().unwrap_or_else(|| panic!("{name} {status}"));
                        let envelope = document.pointer(reference.trim_start_matches('#')).unwrap();
                        for field in ["status", "data", "error"] {
                            assert!(envelope["properties"][field].is_object(), "{name} {status}: {field}");
                        }
                    }
                    "text/event-stream" => assert_eq!(*schema, json!({"type": "string"}), "{name}"),
                    _ => assert_eq!(schema["type"], "string", "{name} {status}: {media_type}"),
                }
            }
            if status >= "400" && !path.ends_with('z') {
                let schema = &answer["content"]["application/json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/ErrorBody", "{name} {status}");
            }
        }
    }
}

#[test]
fn generators_find_nothing_to_invent_a_type_for() {
    let document: Value = serde_json::from_str(&darkroom::http::json()).unwrap();
    let sent: Vec<String> = operations(&document)
        .into_iter()
        .flat_map(|(_, _, operation)| {
            let bodies = entries(&operation["requestBody"]["content"]);
            bodies
                .filter_map(|(_, body)| body["schema"]["$ref"].as_str())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    for (name, schema) in entries(&document["components"]["schemas"]) {
        let is_sent = sent.contains(&format!("#/components/schemas/{name}"));
        for (field, property) in entries(&schema["properties"]) {
            let at = format!("{name}.{field}");
            let required = schema["required"].as_array().into_iter().flatten().any(|one| one == field);
            assert!(required || is_sent, "{at}: always there, so it is required");
            // src/http/documented.rs counts on it: it takes what may be null for a part of an answer.
            assert!(
                !is_sent || property["nullable"] != true,
                "{at}: what is sent may be left out, and is not null"
            );
            assert!(property["properties"].is_null(), "{at}: an object without a name");
            let members = property["allOf"].as_array().map_or(1, Vec::len);
            assert!(members == 1, "{at}: generators make a new type of {members} members");
            let is_time = |(_, property): (&str, &Value)| property["format"] == "date-time";
            let shadows = field == "datetime" && entries(&schema["properties"]).any(is_time);
            assert!(!shadows, "{at}: in Python it hides the type of the times beside it");
            let bare = property["nullable"] == true && property["type"].is_null();
            assert!(!bare, "{at}: nullable extends a type that stands beside it");
        }
    }
    for (_, _, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let plain = parameter["schema"]["$ref"].is_string() || parameter["schema"]["type"].is_string();
            assert!(plain, "{}: a type has a name or a form, not both", parameter["name"]);
        }
        for (media_type, _) in entries(&operation["requestBody"]["content"]) {
            let known = ["multipart/form-data", "application/json"].contains(&media_type);
            assert!(known, "{}: {media_type}", operation["operationId"]);
        }
    }
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
        let example = example.replace("{delivery_id}", "9");
        assert!(README.contains(&example), "README.md shows no call of {example}");
    }
}
