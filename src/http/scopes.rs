//! Which operation needs which scope: the one table of it.

use super::allowed::fits;
use crate::domain::Scope;

/// Every operation below `/api`, and who else asks for a key; a test holds it against the document. HEAD is GET.
const NEEDS: [(&str, &str, Scope); 18] = [
    ("POST", "/api/images", Scope::Write),
    ("GET", "/api/images", Scope::Read),
    ("GET", "/api/images/{id}", Scope::Read),
    ("GET", "/api/images/{id}/similar", Scope::Read),
    ("DELETE", "/api/images/{id}", Scope::Write),
    ("POST", "/api/images/{id}/retry", Scope::Write),
    ("GET", "/api/images/{id}/thumbnails/{size}", Scope::Read),
    ("GET", "/api/images/{id}/original", Scope::Read),
    ("GET", "/api/images/{id}/events", Scope::Read),
    ("GET", "/api/events", Scope::Read),
    ("GET", "/api/images/{id}/captions", Scope::Read),
    ("POST", "/api/images/{id}/captions", Scope::Write),
    ("PUT", "/api/images/{id}/caption", Scope::Write),
    ("DELETE", "/api/images/{id}/caption", Scope::Write),
    ("GET", "/api/images/{id}/deliveries", Scope::Read),
    ("POST", "/api/images/{id}/deliveries/{delivery_id}/replay", Scope::Write),
    ("GET", "/api/stats", Scope::Read),
    ("GET", "/metrics", Scope::Read),
];

/// What a request needs; `None` outside of the table and of `/api`, where everybody may look. What is below `/api` and in no
/// row, such as a method that a path does not know, is left to those who may do everything.
pub(super) fn needed(method: &str, path: &str) -> Option<Scope> {
    let path = path.trim_end_matches('/');
    let method = if method == "HEAD" { "GET" } else { method };
    let is_below_api = path == "/api" || path.starts_with("/api/");
    in_table(method, path).or(is_below_api.then_some(Scope::Admin))
}

/// The template of a path that has a row.
pub(super) fn template(path: &str) -> Option<&'static str> {
    NEEDS.iter().map(|(_, template, _)| *template).find(|template| fits(template, path))
}

/// How the document says what an operation needs, where it tells of the refusal of those who may not.
pub(super) fn lacking(method: &str, path: &str) -> Option<&'static str> {
    in_table(method, path).map(|scope| match scope {
        Scope::Read => "The API key lacks the scope `read`.",
        Scope::Write => "The API key lacks the scope `write`.",
        Scope::Admin => "The API key lacks the scope `admin`.",
    })
}

fn in_table(method: &str, path: &str) -> Option<Scope> {
    let row = NEEDS.iter().find(|(verb, template, _)| *verb == method && fits(template, path));
    row.map(|(_, _, scope)| *scope)
}

#[cfg(test)]
mod tests {
    use super::super::document;
    use super::*;

    /// Method and path of all operations of the document but signs of life.
    fn operations() -> Vec<(String, String)> {
        let document: serde_json::Value = serde_json::from_str(&document::json()).unwrap();
        let paths = document["paths"].as_object().unwrap().clone();
        let of = |(path, methods): (String, serde_json::Value)| {
            let methods: Vec<_> = methods.as_object().unwrap().keys().map(|m| m.to_uppercase()).collect();
            methods.into_iter().map(move |method| (method, path.clone()))
        };
        paths
            .into_iter()
            .filter(|(path, _)| !["/livez", "/readyz"].contains(&path.as_str()))
            .flat_map(of)
            .collect()
    }

    #[test]
    fn every_operation_has_a_row_and_every_row_an_operation() {
        let operations = operations();
        for (method, path) in &operations {
            assert!(
                in_table(method, path).is_some(),
                "{method} {path} has no row in NEEDS (src/http/scopes.rs)"
            );
        }
        for (method, path, _) in NEEDS {
            let known = operations.iter().any(|(m, p)| (m.as_str(), p.as_str()) == (method, path));
            assert!(known, "{method} {path} is no operation: remove its row from NEEDS");
        }
    }

    #[test]
    fn what_changes_something_is_not_for_readers_and_what_is_unknown_is_for_admins() {
        for (method, path, scope) in NEEDS {
            assert!(method == "GET" || scope != Scope::Read, "{method} {path}");
        }
        for (method, path, scope) in [
            ("HEAD", "/api/images/7/original", Some(Scope::Read)),
            ("POST", "/api/images/", Some(Scope::Write)),
            ("DELETE", "/api/images/7/", Some(Scope::Write)),
            ("PUT", "/api/images/7", Some(Scope::Admin)),
            ("GET", "/api/nothing", Some(Scope::Admin)),
            ("GET", "/api", Some(Scope::Admin)),
            ("GET", "/metrics", Some(Scope::Read)),
            ("HEAD", "/metrics/", Some(Scope::Read)),
            ("POST", "/metrics", None),
            ("GET", "/livez", None),
            ("GET", "/", None),
            ("GET", "/apis", None),
        ] {
            assert_eq!(needed(method, path), scope, "{method} {path}");
        }
    }
}
