//! What the document must say and the library cannot be told: whatever leads generators of clients astray is mended here,
//! before the document is written in any form.

use super::envelope::ErrorCode;
use super::scopes;
use poem::endpoint::BoxEndpoint;
use poem::http::Method;
use poem_openapi::OpenApi;
use poem_openapi::registry::{
    MetaApi, MetaOperationParam, MetaSchema, MetaSchemaRef, MetaSecurityScheme, Registry,
};
use poem_openapi::types::Type;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Operations whose description is mended for those who generate clients from it. Requests pass through untouched.
pub(super) struct Documented<T>(pub(super) T);

/// `ErrorCode` with the codes of today in its description.
static KNOWN_CODES: LazyLock<String> = LazyLock::new(|| {
    let mut registry = Registry::new();
    ErrorCode::register(&mut registry);
    let codes = registry.schemas.into_values().flat_map(|schema| schema.enum_items);
    let codes = Vec::from_iter(codes.map(|code| format!("`{}`", code.as_str().unwrap_or_default())));
    format!(
        "A stable code for programs: {}. Later versions add codes: take one that you do not know for what the status of \
         the answer says.",
        codes.join(", ")
    )
});

impl<T: OpenApi> OpenApi for Documented<T> {
    fn meta() -> Vec<MetaApi> {
        let mut apis = vec![one_of(T::meta())];
        for path in apis.iter_mut().flat_map(|api| &mut api.paths) {
            for operation in &mut path.operations {
                let takes_keys = scopes::needed(operation.method.as_str(), &path.path).is_some();
                let keys: &[_] = if takes_keys { &[BEARER, API_KEY] } else { &[] };
                // Either key; and none, because the default installation asks nobody.
                let one = |scheme: &&'static str| HashMap::from([(*scheme, Vec::new())]);
                operation.security = keys.iter().map(one).chain([HashMap::new()]).collect();
                operation.params.iter_mut().for_each(mend_parameter);
                for body in operation.request.iter_mut().flat_map(|request| &mut request.content) {
                    // Generators take a charset for a type of its own.
                    body.content_type = body.content_type.split(';').next().unwrap_or_default();
                }
                let lacking = scopes::lacking(operation.method.as_str(), &path.path);
                for response in &mut operation.responses.responses {
                    response.description =
                        lacking.filter(|_| response.status == Some(403)).unwrap_or(response.description);
                    for header in &mut response.headers {
                        header.name = spelled(&header.name);
                    }
                }
            }
        }
        apis
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
        for (name, scheme) in security_schemes() {
            registry.create_security_scheme(name, scheme);
        }
        // In what callers send, what may be left out may not be null: this is about answers.
        registry.schemas.values_mut().for_each(mend_object);
        if let Some(code) = registry.schemas.get_mut(&*ErrorCode::name()) {
            // A closed list would make clients of today refuse the answers of tomorrow.
            code.enum_items.clear();
            code.description = Some(KNOWN_CODES.as_str());
        }
    }

    fn add_routes(self, routes: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        self.0.add_routes(routes);
    }
}

/// A path may be served by several types, and is one in the document; twice, it would be lost once.
fn one_of(apis: Vec<MetaApi>) -> MetaApi {
    let mut one = MetaApi { paths: Vec::new() };
    for path in apis.into_iter().flat_map(|api| api.paths) {
        match one.paths.iter_mut().find(|known| known.path == path.path) {
            Some(known) => known.operations.extend(path.operations),
            None => one.paths.push(path),
        }
    }
    one
}

const BEARER: &str = "bearer";
const API_KEY: &str = "api_key";

fn security_schemes() -> [(&'static str, MetaSecurityScheme); 2] {
    let scheme = |ty, description| MetaSecurityScheme {
        ty,
        description: Some(description),
        name: None,
        key_in: None,
        scheme: None,
        bearer_format: None,
        flows: None,
        openid_connect_url: None,
    };
    let bearer = MetaSecurityScheme {
        scheme: Some("bearer"),
        ..scheme("http", "An API key, as `Authorization: Bearer …`, where `auth.mode` is `keys`.")
    };
    let api_key = MetaSecurityScheme {
        name: Some("X-API-Key"),
        key_in: Some("header"),
        ..scheme("apiKey", "The same key in a header of its own.")
    };
    [(BEARER, bearer), (API_KEY, api_key)]
}

/// Names of headers are documented in capitals. RFC 9110, 5.1: case does not matter to programs, but it does to readers.
fn spelled(header: &str) -> String {
    if header.eq_ignore_ascii_case("etag") {
        return "ETag".to_owned();
    }
    let capitalised = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters.map(|letter| letter.to_ascii_lowercase())).collect::<String>()
    };
    Vec::from_iter(header.split('-').map(capitalised)).join("-")
}

/// What may be null is written as null, so it is always there.
fn mend_object(schema: &mut MetaSchema) {
    for (name, property) in &mut schema.properties {
        let MetaSchemaRef::Inline(property) = property else { continue };
        if property.nullable && !schema.required.contains(name) {
            schema.required.push(name);
        }
        mend_reference(property);
    }
}

/// A parameter is either a type with a name or has a default: of both together generators make a parameter of any type. So
/// the default is told to people.
fn mend_parameter(parameter: &mut MetaOperationParam) {
    let MetaSchemaRef::Inline(schema) = &mut parameter.schema else { return };
    let is_named = |member: &&MetaSchemaRef| matches!(member, MetaSchemaRef::Reference(_));
    let Some(named) = schema.all_of.iter().find(is_named).cloned() else { return };
    let default = schema.default.take();
    parameter.schema = named;
    if let (Some(description), Some(Value::String(default))) = (&mut parameter.description, default) {
        description.push_str(&format!(" Without it: `{default}`."));
    }
}

/// What is said about a reference is documented twice: beside it, and as a second member of `allOf`, for which generators
/// invent a type. A reference that may be null is written in the one form that is right by OpenAPI 3.0.3 ("nullable" only
/// extends the "type" beside it), and that all generators understand.
fn mend_reference(property: &mut MetaSchema) {
    property.all_of.retain(|member| matches!(member, MetaSchemaRef::Reference(_)));
    if property.nullable && !property.all_of.is_empty() {
        let null = MetaSchema { nullable: true, enum_items: vec![Value::Null], ..MetaSchema::new("object") };
        property.nullable = false;
        property.any_of = std::mem::take(&mut property.all_of);
        property.any_of.push(MetaSchemaRef::Inline(Box::new(null)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use poem_openapi::param::Query;
    use poem_openapi::payload::Json;
    use poem_openapi::{ApiResponse, Enum, Object, OpenApiService};
    use serde_json::json;

    #[derive(Object)]
    struct Inner {
        value: i64,
    }

    #[derive(Object)]
    struct Outer {
        /// May be null.
        #[oai(nullable)]
        inner: Option<Inner>,
        #[oai(nullable)]
        text: Option<String>,
        #[oai(skip_serializing_if_is_none)]
        absent: Option<String>,
        code: ErrorCode,
    }

    #[derive(ApiResponse)]
    enum Found {
        #[oai(status = 200, content_type = "application/json")]
        Outer(Json<Outer>, #[oai(header = "ETag")] String, #[oai(header = "X-Request-Id")] String),
    }

    #[derive(Enum)]
    #[oai(rename_all = "snake_case")]
    enum Colour {
        Red,
    }

    fn red() -> Colour {
        Colour::Red
    }

    struct Api;

    #[OpenApi]
    impl Api {
        #[oai(path = "/api/outer/:id", method = "get", operation_id = "get_outer")]
        async fn get_outer(
            &self,
            /// Which colour.
            #[oai(name = "colour", default = "red")]
            _colour: Query<Colour>,
        ) -> Found {
            let outer = Outer { inner: None, text: None, absent: None, code: ErrorCode::NotFound };
            Found::Outer(Json(outer), String::new(), String::new())
        }

        #[oai(path = "/outside", method = "get", operation_id = "get_outside")]
        async fn get_outside(&self) {}
    }

    fn document() -> Value {
        let service = OpenApiService::new(Documented(Api), "test", "1");
        serde_json::from_str(&service.spec()).unwrap()
    }

    #[test]
    fn every_form_of_the_document_is_mended() {
        let service = OpenApiService::new(Documented(Api), "test", "1");
        for form in [service.spec(), service.spec_yaml(), service.swagger_ui_html()] {
            assert!(form.contains("X-API-Key"), "{form}");
        }
    }

    #[test]
    fn what_may_be_null_is_required_and_what_may_be_absent_is_not() {
        let outer = &document()["components"]["schemas"]["Outer"];
        assert_eq!(outer["required"], json!(["code", "inner", "text"]));
        assert_eq!(outer["properties"]["text"], json!({"type": "string", "nullable": true}));
    }

    #[test]
    fn a_reference_that_may_be_null_is_that_or_null() {
        let inner = &document()["components"]["schemas"]["Outer"]["properties"]["inner"];
        let expected = json!({
            "description": "May be null.",
            "anyOf": [
                {"$ref": "#/components/schemas/Inner"},
                {"type": "object", "nullable": true, "enum": [null]},
            ],
        });
        assert_eq!(*inner, expected);
    }

    #[test]
    fn a_parameter_of_a_named_type_has_that_type_and_tells_its_default() {
        let parameter = &document()["paths"]["/api/outer/{id}"]["get"]["parameters"][0];
        assert_eq!(parameter["schema"], json!({"$ref": "#/components/schemas/Colour"}));
        assert_eq!(parameter["description"], "Which colour. Without it: `red`.");
    }

    #[test]
    fn codes_are_an_open_list_and_all_of_them_are_told() {
        let code = &document()["components"]["schemas"]["ErrorCode"];
        assert_eq!((&code["type"], &code["enum"]), (&json!("string"), &Value::Null));
        let description = code["description"].as_str().unwrap();
        assert!(description.contains("`no_file`, `malformed_request`, `unauthorized`, "), "{description}");
    }

    #[test]
    fn a_key_may_be_sent_either_way_or_not_at_all_and_only_below_api() {
        let document = document();
        let security = &document["paths"]["/api/outer/{id}"]["get"]["security"];
        assert_eq!(*security, json!([{"bearer": []}, {"api_key": []}, {}]));
        assert_eq!(document["paths"]["/outside"]["get"]["security"], json!([{}]));
        let schemes = &document["components"]["securitySchemes"];
        assert_eq!(
            (&schemes["bearer"]["type"], &schemes["bearer"]["scheme"]),
            (&json!("http"), &json!("bearer"))
        );
        assert_eq!(
            (&schemes["api_key"]["in"], &schemes["api_key"]["name"]),
            (&json!("header"), &json!("X-API-Key"))
        );
    }

    #[test]
    fn headers_do_not_shout() {
        let paths = &document()["paths"];
        let headers = paths["/api/outer/{id}"]["get"]["responses"]["200"]["headers"].as_object().unwrap();
        assert_eq!(Vec::from_iter(headers.keys()), ["ETag", "X-Request-Id"]);
    }
}
