//! What breaks a program that was written, or generated, against a document: less that may be sent, or other answers than
//! the document promised.

use serde_json::Value;
use std::collections::BTreeSet;

/// Each way in which `current` breaks callers of `released`, as a sentence; both are OpenAPI 3.0 documents.
pub fn breaks(released: &Value, current: &Value) -> Vec<String> {
    let mut comparison = Comparison { released, current, seen: BTreeSet::new(), complaints: Vec::new() };
    for (path, methods) in entries(&released["paths"]) {
        for (method, operation) in entries(methods) {
            let (name, now) = (format!("{method} {path}"), &current["paths"][path][method]);
            if comparison.is_there(&name, now) {
                comparison.operation(&name, operation, now);
            }
        }
    }
    comparison.complaints
}

/// What a schema describes: what is taken from callers must not become less, what they are given must not become other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Taken,
    Given,
}

/// Limits of what is taken, and whether a larger number takes more.
const LIMITS: [(&str, bool); 6] = [
    ("maximum", true),
    ("maxLength", true),
    ("maxItems", true),
    ("minimum", false),
    ("minLength", false),
    ("minItems", false),
];

struct Comparison<'a> {
    released: &'a Value,
    current: &'a Value,
    /// Named schemas that were compared; they may contain themselves.
    seen: BTreeSet<(Side, &'a str)>,
    complaints: Vec<String>,
}

impl<'a> Comparison<'a> {
    fn complain_if(&mut self, wrong: bool, complaint: String) {
        if wrong {
            self.complaints.push(complaint);
        }
    }

    fn is_there(&mut self, name: &str, now: &Value) -> bool {
        self.complain_if(now.is_null(), format!("{name} is gone"));
        !now.is_null()
    }

    fn operation(&mut self, name: &str, released: &'a Value, current: &'a Value) {
        let id = |operation: &Value| operation["operationId"].clone();
        self.complain_if(id(released) != id(current), format!("{name}: operationId is now {}", id(current)));
        for way in list(&released["security"]) {
            let still = list(&current["security"]).contains(way);
            self.complain_if(!still, format!("{name}: security no longer accepts {way}"));
        }
        self.parameters(name, &released["parameters"], &current["parameters"]);
        self.body(name, &released["requestBody"], &current["requestBody"]);
        for (status, answer) in entries(&released["responses"]) {
            let (name, now) = (format!("{name}: {status}"), &current["responses"][status]);
            if self.is_there(&name, now) {
                self.content(Side::Given, &name, &answer["content"], &now["content"]);
                self.headers(&name, &answer["headers"], &now["headers"]);
            }
        }
    }

    fn parameters(&mut self, name: &str, released: &'a Value, current: &'a Value) {
        for parameter in list(released) {
            let at = format!("{name}: parameter {}", text(&parameter["name"]));
            let now = find_parameter(current, parameter);
            if self.is_there(&at, now) {
                let required = parameter["required"] != true && now["required"] == true;
                self.complain_if(required, format!("{at} is now required"));
                self.schema(Side::Taken, &at, &parameter["schema"], &now["schema"]);
            }
        }
        for parameter in list(current) {
            let new = parameter["required"] == true && find_parameter(released, parameter).is_null();
            self.complain_if(
                new,
                format!("{name}: parameter {} is new and required", text(&parameter["name"])),
            );
        }
    }

    fn body(&mut self, name: &str, released: &'a Value, current: &'a Value) {
        let required = released["required"] != true && current["required"] == true;
        self.complain_if(required, format!("{name}: a body is now required"));
        self.content(Side::Taken, &format!("{name}: body"), &released["content"], &current["content"]);
    }

    fn content(&mut self, side: Side, name: &str, released: &'a Value, current: &'a Value) {
        for (media_type, released) in entries(released) {
            let (at, now) = (format!("{name} as {media_type}"), &current[media_type]);
            if self.is_there(&at, now) {
                self.schema(side, &at, &released["schema"], &now["schema"]);
            }
        }
    }

    /// RFC 9110, 5.1: names of headers are the same in any case.
    fn headers(&mut self, name: &str, released: &'a Value, current: &'a Value) {
        for (header, released) in entries(released) {
            let at = format!("{name}: header {header}");
            let found = entries(current).find(|(other, _)| other.eq_ignore_ascii_case(header));
            let now = found.map_or(&Value::Null, |(_, now)| now);
            if self.is_there(&at, now) {
                let optional = released["required"] == true && now["required"] != true;
                self.complain_if(optional, format!("{at} is now optional"));
                self.schema(Side::Given, &at, &released["schema"], &now["schema"]);
            }
        }
    }

    fn schema(&mut self, side: Side, at: &str, released: &'a Value, current: &'a Value) {
        let (was, is) = (Shape::of(self.released, released), Shape::of(self.current, current));
        let (narrower, wider) = (was.nullable && !is.nullable, !was.nullable && is.nullable);
        self.complain_if(side == Side::Taken && narrower, format!("{at} may no longer be null"));
        self.complain_if(side == Side::Given && wider, format!("{at} may now be null"));
        let at = if let Some(name) = was.name {
            // Generators make a type of it, which callers name.
            let now = is.name.unwrap_or("without a name");
            self.complain_if(now != name, format!("{at}: {name} is now {now}"));
            if !self.seen.insert((side, name)) {
                return;
            }
            name
        } else {
            at
        };
        let (was, is) = (was.schema, is.schema);
        for key in ["type", "format", "allOf", "anyOf", "oneOf"] {
            self.complain_if(was[key] != is[key], format!("{at}: {key} was {}, is {}", was[key], is[key]));
        }
        self.values(side, at, &was["enum"], &is["enum"]);
        if side == Side::Taken {
            self.limits(at, was, is);
        }
        self.properties(side, at, was, is);
        for inner in ["items", "additionalProperties"] {
            if was[inner].is_object() {
                self.schema(side, &format!("{at}.{inner}"), &was[inner], &is[inner]);
            }
        }
    }

    fn values(&mut self, side: Side, at: &str, released: &Value, current: &Value) {
        let (less, more) = match side {
            Side::Taken => (current, released),
            Side::Given => (released, current),
        };
        // A list is closed; where there is none, all values are possible.
        if less.is_array() && more.is_null() {
            self.complaints.push(format!("{at}: enum was {released}, is {current}"));
        }
        for value in list(more).iter().filter(|value| less.is_array() && !list(less).contains(value)) {
            let fate = if side == Side::Taken { "no longer taken" } else { "new" };
            self.complaints.push(format!("{at}: the value {value} is {fate}"));
        }
    }

    fn limits(&mut self, at: &str, released: &Value, current: &Value) {
        for (limit, larger_takes_more) in LIMITS {
            let (was, is) = (released[limit].as_f64(), current[limit].as_f64());
            let narrower = match (was, is) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(was), Some(is)) => was != is && (is > was) != larger_takes_more,
            };
            self.complain_if(
                narrower,
                format!("{at}: {limit} was {}, is {}", released[limit], current[limit]),
            );
        }
        let (was, is) = (&released["pattern"], &current["pattern"]);
        self.complain_if(!is.is_null() && was != is, format!("{at}: pattern was {was}, is {is}"));
    }

    fn properties(&mut self, side: Side, at: &str, released: &'a Value, current: &'a Value) {
        for (name, property) in entries(&released["properties"]) {
            let (at, now) = (format!("{at}.{name}"), &current["properties"][name]);
            if self.is_there(&at, now) {
                self.schema(side, &at, property, now);
            }
        }
        let (less, more, fate) = match side {
            Side::Taken => (released, current, "now required"),
            Side::Given => (current, released, "now optional"),
        };
        // What is gone was complained about.
        for name in list(&more["required"]).iter().filter(|name| !current["properties"][text(name)].is_null())
        {
            let missing = !list(&less["required"]).contains(name);
            self.complain_if(missing, format!("{at}.{} is {fate}", text(name)));
        }
    }
}

/// A schema behind its references and wrappers.
struct Shape<'a> {
    schema: &'a Value,
    /// Of a component.
    name: Option<&'a str>,
    nullable: bool,
}

impl<'a> Shape<'a> {
    fn of(document: &'a Value, schema: &'a Value) -> Self {
        if let Some(reference) = schema["$ref"].as_str() {
            let target = document.pointer(reference.trim_start_matches('#'));
            let shape = Self::of(document, target.unwrap_or_else(|| panic!("{reference} leads nowhere")));
            return Self { name: reference.rsplit('/').next(), ..shape };
        }
        // A schema alone, or one that is that or null.
        for wrapper in ["allOf", "anyOf"] {
            if let [schema_itself, nulls @ ..] = list(&schema[wrapper])
                && nulls.iter().all(|null| list(&null["enum"]) == [Value::Null])
            {
                let inner = Self::of(document, schema_itself);
                let nullable = inner.nullable || schema["nullable"] == true || !nulls.is_empty();
                return Self { nullable, ..inner };
            }
        }
        Self { schema, name: None, nullable: schema["nullable"] == true }
    }
}

fn find_parameter<'a>(parameters: &'a Value, like: &Value) -> &'a Value {
    let same = |other: &&Value| other["in"] == like["in"] && other["name"] == like["name"];
    list(parameters).iter().find(same).unwrap_or(&Value::Null)
}

fn entries(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flatten()
}

fn list(array: &Value) -> &[Value] {
    array.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
