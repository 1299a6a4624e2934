//! What alert rules and dashboard name exists.

use super::families::FAMILIES;
use std::collections::BTreeSet;

const RULES: &str = include_str!("../../../monitoring/alerts.yml");
const TESTS: &str = include_str!("../../../monitoring/alerts.test.yml");
const SCRAPES: &str = include_str!("../../../monitoring/prometheus.yml");
const DASHBOARD: &str = include_str!("../../../monitoring/grafana/darkroom.json");
const README: &str = include_str!("../../../README.md");

/// The samples of a family, as expressions name them.
fn samples(name: &str, kind: &str) -> Vec<String> {
    let suffixes: &[_] = match kind {
        "counter" => &["_total"],
        "histogram" => &["_bucket", "_sum", "_count"],
        _ => &[""],
    };
    suffixes.iter().map(|suffix| format!("{name}{suffix}")).collect()
}

/// Words that look like metrics of ours.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("darkroom_") || word.starts_with("process_")).collect()
}

#[test]
fn what_rules_dashboard_and_readme_name_is_told() {
    let known: BTreeSet<_> = FAMILIES.iter().flat_map(|(name, kind, _)| samples(name, kind)).collect();
    let section = README.split("\n## ").find(|section| section.starts_with("Metrics\n")).unwrap();
    let files = [
        ("alerts.yml", RULES),
        ("alerts.test.yml", TESTS),
        ("darkroom.json", DASHBOARD),
        ("README.md", section),
    ];
    for (file, text) in files {
        for name in names(text) {
            assert!(known.contains(name), "{file} names {name}, which does not exist");
        }
    }
    assert!(names(RULES).len() > 8 && names(DASHBOARD).len() > 15);
}

#[test]
fn labels_in_rules_and_dashboard_exist() {
    let known: BTreeSet<_> = FAMILIES.iter().flat_map(|(.., labels)| labels.iter().copied()).collect();
    let given = ["job", "instance", "le", "severity", "alertname"];
    for text in [RULES, DASHBOARD] {
        let unescaped = text.replace('\\', "");
        for clause in unescaped.split("by (").skip(1).filter_map(|rest| rest.split(')').next()) {
            for label in clause.split(',').map(str::trim) {
                assert!(known.contains(label) || given.contains(&label), "`by ({clause})`: {label}");
            }
        }
    }
}

#[test]
fn the_files_can_be_read() {
    for yaml in [RULES, TESTS, SCRAPES] {
        let read: serde_yaml::Value = serde_yaml::from_str(yaml).unwrap();
        assert!(read.is_mapping());
    }
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_i64().unwrap()) && !panel["title"].as_str().unwrap().is_empty());
        let at = &panel["gridPos"];
        assert!(at["x"].as_i64().unwrap() + at["w"].as_i64().unwrap() <= 24, "{panel}");
        if panel["type"] != "row" {
            let targets = panel["targets"].as_array().unwrap();
            assert!(targets.iter().all(|target| target["expr"].is_string()), "{panel}");
        }
    }
    let rules: serde_yaml::Value = serde_yaml::from_str(RULES).unwrap();
    let tests: serde_yaml::Value = serde_yaml::from_str(TESTS).unwrap();
    let tests = serde_json::to_string(&tests).unwrap();
    for group in rules["groups"].as_sequence().unwrap() {
        for rule in group["rules"].as_sequence().unwrap() {
            let name = rule["alert"].as_str().unwrap();
            assert!(tests.contains(&format!("\"alertname\":\"{name}\"")), "{name} has no test");
            for said in ["summary", "description"] {
                assert!(rule["annotations"][said].is_string(), "{name}: {said}");
            }
        }
    }
}
