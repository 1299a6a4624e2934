//! Callers of the last released version go on as they are: the document of today breaks nothing that
//! `openapi/released.yaml` promises.
//!
//! That file is the document of the last release. It is renewed at a release and only then:
//! `cp openapi/openapi.yaml openapi/released.yaml`.

mod rules;

use rules::breaks;
use serde_json::Value;

fn parse(yaml: &str) -> Value {
    serde_yaml::from_str(yaml).unwrap()
}

#[test]
fn the_document_breaks_no_caller_of_the_last_release() {
    let released = parse(include_str!("../../openapi/released.yaml"));
    let current: Value = serde_json::from_str(&darkroom::http::json()).unwrap();
    let complaints = breaks(&released, &current);
    assert!(complaints.is_empty(), "callers of the last release would break:\n{}", complaints.join("\n"));
}

const THINGS: &str = "
paths:
  /things:
    post:
      operationId: make_thing
      security: [{key: []}, {}]
      parameters:
      - {in: query, name: limit, schema: {type: integer, maximum: 9, minimum: 1}}
      - {in: query, name: colour, schema: {$ref: '#/components/schemas/Colour'}}
      requestBody:
        content:
          multipart/form-data:
            schema:
              type: object
              required: [file]
              properties:
                file: {type: string, format: binary}
                note: {type: string, nullable: true, maxLength: 9}
      responses:
        '200':
          headers: {Location: {required: true, schema: {type: string}}}
          content:
            application/json: {schema: {$ref: '#/components/schemas/Thing'}}
            application/xml: {schema: {type: string}}
        '404': {description: None such}
components:
  schemas:
    Colour: {type: string, enum: [red, blue]}
    Thing:
      type: object
      required: [id, colour, parent]
      properties:
        id: {type: integer, format: int64}
        colour: {$ref: '#/components/schemas/Colour'}
        parent: {anyOf: [{$ref: '#/components/schemas/Thing'}, {type: object, nullable: true, enum: [null]}]}
        tags: {type: array, items: {type: string}}
        sizes: {type: object, additionalProperties: {type: number}}
";

/// A place in [`THINGS`] by JSON pointer | what is put there (nothing: it is taken away) | the complaint.
const BREAKS: &str = "
/paths/~1things || post /things is gone
/paths/~1things/post || post /things is gone
/paths/~1things/post/operationId | create_thing | post /things: operationId is now \"create_thing\"
/paths/~1things/post/security/1 || post /things: security no longer accepts {}
/paths/~1things/post/parameters/0 || post /things: parameter limit is gone
/paths/~1things/post/parameters/0/required | true | post /things: parameter limit is now required
/paths/~1things/post/parameters/2 | {in: header, name: X-New, required: true} | post /things: parameter X-New is new and required
/paths/~1things/post/parameters/0/schema/type | number | post /things: parameter limit: type was \"integer\", is \"number\"
/paths/~1things/post/parameters/0/schema/maximum | 8 | post /things: parameter limit: maximum was 9, is 8
/paths/~1things/post/parameters/0/schema/minimum | 2 | post /things: parameter limit: minimum was 1, is 2
/paths/~1things/post/parameters/0/schema/pattern | a | post /things: parameter limit: pattern was null, is \"a\"
/paths/~1things/post/parameters/0/schema/enum | [1] | post /things: parameter limit: enum was null, is [1]
/paths/~1things/post/parameters/1/schema | {type: string, enum: [red, blue]} | post /things: parameter colour: Colour is now without a name
/components/schemas/Colour/enum | [red] | Colour: the value \"blue\" is no longer taken
/components/schemas/Colour/enum | [red, blue, green] | Colour: the value \"green\" is new
/components/schemas/Colour/enum || Colour: enum was [\"red\",\"blue\"], is null
/paths/~1things/post/requestBody/required | true | post /things: a body is now required
/paths/~1things/post/requestBody/content || post /things: body as multipart/form-data is gone
/paths/~1things/post/requestBody/content/multipart~1form-data/schema/required/1 | note | post /things: body as multipart/form-data.note is now required
/paths/~1things/post/requestBody/content/multipart~1form-data/schema/properties/note || post /things: body as multipart/form-data.note is gone
/paths/~1things/post/requestBody/content/multipart~1form-data/schema/properties/note/nullable || post /things: body as multipart/form-data.note may no longer be null
/paths/~1things/post/requestBody/content/multipart~1form-data/schema/properties/note/maxLength | 8 | post /things: body as multipart/form-data.note: maxLength was 9, is 8
/paths/~1things/post/requestBody/content/multipart~1form-data/schema/properties/note/minLength | 1 | post /things: body as multipart/form-data.note: minLength was null, is 1
/paths/~1things/post/responses/404 || post /things: 404 is gone
/paths/~1things/post/responses/200/content/application~1xml || post /things: 200 as application/xml is gone
/paths/~1things/post/responses/200/headers/Location || post /things: 200: header Location is gone
/paths/~1things/post/responses/200/headers/Location/required || post /things: 200: header Location is now optional
/components/schemas/Thing/properties/id || Thing.id is gone
/components/schemas/Thing/properties/id/type | string | Thing.id: type was \"integer\", is \"string\"
/components/schemas/Thing/properties/id/format | int32 | Thing.id: format was \"int64\", is \"int32\"
/components/schemas/Thing/properties/id/nullable | true | Thing.id may now be null
/components/schemas/Thing/properties/colour | {anyOf: [{$ref: '#/components/schemas/Colour'}, {enum: [null]}]} | Thing.colour may now be null
/components/schemas/Thing/required | [id, parent] | Thing.colour is now optional
/components/schemas/Thing/properties/tags/items/type | integer | Thing.tags.items: type was \"string\", is \"integer\"
/components/schemas/Thing/properties/sizes/additionalProperties/nullable | true | Thing.sizes.additionalProperties may now be null
/components/schemas/Thing/properties/parent | {oneOf: [{type: object}, {type: string}]} | Thing.parent: Thing is now without a name
";

/// In the form of [`BREAKS`]: what callers can live with.
const GROWTH: &str = "
/paths/~1others | {get: {operationId: get_other}} |
/paths/~1things/get | {operationId: list_things} |
/paths/~1things/post/security/2 | {other: []} |
/paths/~1things/post/parameters/2 | {in: query, name: new, schema: {type: string}} |
/paths/~1things/post/parameters/0/schema/maximum | 10 |
/paths/~1things/post/parameters/0/schema/minimum | 0 |
/paths/~1things/post/parameters/0/schema/maximum ||
/paths/~1things/post/parameters/1/schema/description | Which colour |
/paths/~1things/post/requestBody/content/multipart~1form-data/schema/properties/new | {type: string} |
/paths/~1things/post/requestBody/content/multipart~1form-data/schema/required | [] |
/paths/~1things/post/requestBody/content/text~1plain | {schema: {type: string}} |
/paths/~1things/post/responses/409 | {description: In use} |
/paths/~1things/post/responses/200/headers | {LOCATION: {required: true, schema: {type: string}}} |
/components/schemas/Thing/properties/new | {type: string} |
/components/schemas/Thing/required/3 | tags |
/components/schemas/Thing/properties/parent | {nullable: true, allOf: [{$ref: '#/components/schemas/Thing'}]} |
/components/schemas/Thing/properties/parent | {$ref: '#/components/schemas/Thing'} |
/components/schemas/Thing/description | What it is |
";

/// Puts `value` at the place of an object or a list that `pointer` names, or takes away what is there.
fn edit(document: &mut Value, pointer: &str, value: Option<Value>) {
    let (place, last) = pointer.rsplit_once('/').unwrap();
    let place = document.pointer_mut(place).unwrap_or_else(|| panic!("{pointer} leads nowhere"));
    let key = last.replace("~1", "/");
    match (place, value) {
        (Value::Array(list), Some(value)) if last.parse() == Ok(list.len()) => list.push(value),
        (Value::Array(list), None) => drop(list.remove(last.parse().unwrap())),
        (Value::Object(object), Some(value)) => drop(object.insert(key, value)),
        (Value::Object(object), None) => drop(object.remove(&key).unwrap_or_else(|| panic!("no {pointer}"))),
        (place, _) => panic!("{pointer} cannot be edited in {place}"),
    }
}

/// What the rules say to each row of a table of edits, with what it should be.
fn judged(table: &str) -> impl Iterator<Item = (&str, String, &str)> {
    let released = parse(THINGS);
    table.trim().lines().map(move |row| {
        let cells: Vec<&str> = row.splitn(3, '|').map(str::trim).collect();
        let [pointer, value, expected] = cells[..] else { panic!("a row has three cells: {row}") };
        let mut current = released.clone();
        edit(&mut current, pointer, (!value.is_empty()).then(|| parse(value)));
        (row, breaks(&released, &current).join("; "), expected)
    })
}

#[test]
fn each_break_is_complained_about_once_and_nothing_else_is() {
    for (row, complaints, expected) in judged(BREAKS) {
        assert_eq!(complaints, expected, "{row}");
    }
}

#[test]
fn growth_is_welcome() {
    for (row, complaints, expected) in judged(GROWTH) {
        assert_eq!(complaints, expected, "{row}");
    }
}
