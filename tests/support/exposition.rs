//! What `/metrics` says, held against the rules of its format (OpenMetrics 1.0) and of its names.

use crate::support::client::Client;
use std::collections::{BTreeMap, BTreeSet};

/// The text, taken apart.
pub struct Exposition {
    pub text: String,
    /// By name, without the suffixes of samples.
    pub families: BTreeMap<String, Family>,
    pub samples: Vec<Sample>,
}

#[derive(Debug, Default)]
pub struct Family {
    pub kind: String,
    pub help: String,
    unit: String,
}

#[derive(Debug)]
pub struct Sample {
    pub name: String,
    pub family: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Exposition {
    /// Asks for it, without a key.
    pub async fn of(client: &Client) -> Self {
        let answer = client.raw("/metrics").await;
        assert_eq!(answer.status(), 200);
        let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        assert_eq!(answer.headers()["content-type"], media_type);
        Self::parse(answer.text().await.unwrap())
    }

    pub fn parse(text: String) -> Self {
        let lines = text.strip_suffix("# EOF\n").expect("it ends with EOF");
        let (mut families, mut samples) = (BTreeMap::<String, Family>::new(), Vec::new());
        let mut current = String::new();
        for line in lines.lines() {
            assert!(!line.is_empty() && line.trim() == line, "{line:?}");
            let Some(about) = line.strip_prefix("# ") else {
                samples.push(sample(line, &current, &families[&current]));
                continue;
            };
            let [keyword, name, rest] = about.splitn(3, ' ').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            if name != current {
                let new = families.insert(name.to_owned(), Family::default()).is_none();
                assert!(new, "{name}: all of a family stands together");
                name.clone_into(&mut current);
            }
            let family = families.get_mut(name).unwrap();
            match keyword {
                "HELP" => rest.clone_into(&mut family.help),
                "TYPE" => rest.clone_into(&mut family.kind),
                "UNIT" => rest.clone_into(&mut family.unit),
                other => panic!("{other}: {line}"),
            }
        }
        let found = Self { families, samples, text };
        found.check();
        found
    }

    /// The sum of all samples of this name that have these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |sample: &&Sample| labels.iter().all(|(key, value)| sample.labels[*key] == *value);
        self.samples.iter().filter(|sample| sample.name == name).filter(fits).map(|sample| sample.value).sum()
    }

    /// The labels that samples of a family have, but for those of its buckets.
    pub fn labels(&self, family: &str) -> BTreeSet<&str> {
        let samples = self.samples.iter().filter(|sample| sample.family == family);
        samples
            .flat_map(|sample| sample.labels.keys())
            .map(String::as_str)
            .filter(|label| *label != "le")
            .collect()
    }

    fn check(&self) {
        for (name, Family { kind, help, unit }) in &self.families {
            let is_name = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            assert!(is_name && !name.contains("__"), "{name}");
            let ours = ["darkroom_", "process_"].iter().any(|prefix| name.starts_with(prefix));
            assert!(
                ours && help.len() > 10 && help.ends_with('.') && !help.ends_with(".."),
                "{name}: {help}"
            );
            assert!(["counter", "gauge", "histogram"].contains(&kind.as_str()), "{name}: {kind}");
            assert!(unit.is_empty() || name.ends_with(&format!("_{unit}")), "{name}: {unit}");
            // Base units, and none that is not said.
            for suffix in ["_seconds", "_bytes"] {
                assert_eq!(name.ends_with(suffix), format!("_{unit}") == suffix, "{name}: {unit}");
            }
            for wrong in ["_ms", "_milliseconds", "_minutes", "_percent", "_megabytes", "_total", "_count"] {
                assert!(!name.ends_with(wrong), "{name}");
            }
        }
        let mut seen = BTreeSet::new();
        for sample in &self.samples {
            assert!(seen.insert((&sample.name, &sample.labels)), "twice: {sample:?}");
        }
        let histograms = self.families.iter().filter(|(_, family)| family.kind == "histogram");
        histograms.for_each(|(name, _)| self.check_buckets(name));
    }

    /// They add up, and the last one holds all.
    fn check_buckets(&self, family: &str) {
        let of = |suffix: &str| {
            let name = format!("{family}{suffix}");
            self.samples.iter().filter(move |sample| sample.name == name)
        };
        for count in of("_count") {
            let buckets = of("_bucket").filter(|bucket| {
                let mut labels = bucket.labels.clone();
                labels.remove("le").is_some() && labels == count.labels
            });
            let bounds = |s: &Sample| s.labels["le"].replace("+Inf", "inf").parse::<f64>().unwrap();
            let pairs: Vec<_> = buckets.map(|bucket| (bounds(bucket), bucket.value)).collect();
            let ordered = pairs.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
            assert!(ordered && pairs.len() > 5, "{family}: {pairs:?}");
            assert_eq!(pairs.last(), Some(&(f64::INFINITY, count.value)), "{family}");
        }
    }
}

fn sample(line: &str, current: &str, family: &Family) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').unwrap()),
        None => (series, ""),
    };
    let suffix = name.strip_prefix(current).unwrap_or_else(|| panic!("{line}: it belongs to {current}"));
    let suffixes: &[_] = match family.kind.as_str() {
        "counter" => &["_total"],
        "histogram" => &["_bucket", "_sum", "_count"],
        _ => &[""],
    };
    assert!(suffixes.contains(&suffix), "{line}");
    // None of our values holds a comma or a quotation mark.
    let pairs = labels.split(',').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap();
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap();
        (key.to_owned(), value.to_owned())
    });
    Sample {
        name: name.to_owned(),
        family: current.to_owned(),
        labels: pairs.collect(),
        value: value.parse().unwrap(),
    }
}
