//! Holds the code against the house: who may name what, where SQL and `unsafe` may be, how long a file may be.
//!
//! The sources are read word by word, as the compiler's lexer cuts them, so neither comments nor macros deceive. A
//! path inside a text counts too, because attributes such as serde's take paths so. Tests beside the code (a module
//! right after `#[cfg(test)]`) may name what they like. Not seen: a library's type that another room hands out.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends by panicking")]

#[path = "architecture/words.rs"]
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use toml::de::{DeString, DeTable};
use words::{Word, names, without_tests, words};

/// Room | the rooms it names | the libraries it names. `std` is free to all; everything else has to be granted here,
/// and what is granted has to be used. A room is a module in src/, or a crate of its own in crates/.
const HOUSE: &str = "
    domain    |                                           | thiserror time url
    probe     | domain                                    | thiserror
    pipeline  | domain probe                              | codecs time
    settings  | domain                                    | config secrecy serde serde_json thiserror url
    metrics   | domain                                    | prometheus_client rustix
    traces    | domain                                    | opentelemetry tracing tracing_opentelemetry
    telemetry | domain outgoing settings traces           | everyday async opentelemetry opentelemetry_http opentelemetry_otlp opentelemetry_sdk reqwest tracing_opentelemetry tracing_subscriber
    store     | domain settings traces                    | everyday async deadpool deadpool_postgres refinery tokio_postgres
    files     | domain outgoing settings                  | everyday async async_trait http_body_util hyper object_store reqwest rustix sha2
    queue     | domain settings traces                    | everyday async lapin
    outgoing  | domain traces                             | reqwest rustls time tracing
    own_thread | domain                                   | async rustix tracing
    captioner | domain outgoing settings own_thread probe pipeline | everyday async base64 darkroom_local_captioner reqwest sha2
    webhooks  | domain outgoing settings                  | everyday async base64 hmac reqwest sha2
    access    | domain settings store                     | everyday async base64 sha2 subtle
    intake    | domain store files probe traces           | everyday async sha2
    relay     | domain settings store files queue metrics | everyday async
    worker    | domain settings store files queue probe pipeline own_thread captioner webhooks metrics traces | everyday async
    http      | domain settings store files access intake webhooks metrics traces | everyday async hyper hyper_util multer poem poem_openapi rustix
    embedded  |                                           | everyday async rustix
    app       | domain settings store files queue captioner webhooks metrics access relay worker http embedded | everyday async anyhow rustix
    main      | domain settings telemetry worker http app | everyday async anyhow clap
";

/// Libraries that [`HOUSE`] grants by the handful.
const HANDFULS: [(&str, &str); 3] = [
    ("everyday", "bytes rand secrecy serde serde_json thiserror time tracing"),
    ("async", "futures_util tokio tokio_util"),
    ("codecs", "exif fast_image_resize jpeg_reducer jpeg_writer moxcms png"),
];

/// The rooms that are crates, so that what their pixels cost at run time does not make everything cost time to compile.
const CRATES: [&str; 3] = ["domain", "pipeline", "probe"];

/// What the names of these crates begin with.
const ROOM_CRATE: &str = "darkroom_";

/// The one room that speaks SQL, and what gives a statement away.
const SQL_ROOM: &str = "store";
const SQL: &str = "select|insert into|delete from|create table|alter table|drop table|for update|returning";

/// The one file that may say `unsafe`.
const UNSAFE_FILE: &str = "src/embedded/child.rs";

/// Names that do not say what a file holds.
const EMPTY_NAMES: [&str; 7] = ["utils", "util", "helpers", "helper", "manager", "common", "misc"];

const MAX_LINES: usize = 400;

const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn rooms_name_only_what_the_house_grants_them() {
    let (house, libraries) = (house(), libraries());
    let (mut wrong, mut used) = (BTreeSet::new(), BTreeSet::new());
    for file in code() {
        let (path, room) = (&file.path, file.room());
        // Without a row, another test says so.
        let Some(granted) = house.get(room) else { continue };
        let own = format!("crate::{room}");
        let counts = |name: &String| name.starts_with("crate::") && *name != own || libraries.contains(name);
        for (line, name) in file.names().into_iter().filter(|(_, name)| counts(name)) {
            let grant = handful(&name).filter(|handful| granted.contains(*handful)).unwrap_or(&name);
            if !granted.contains(grant) {
                let advice = "Ask a room that it may name, or grant it in HOUSE and say why";
                wrong.insert(format!("{path}:{line}: the room `{room}` may not name `{name}`. {advice}"));
            }
            used.insert(format!("{room} {grant}"));
        }
    }
    for (room, granted) in &house {
        for grant in granted.iter().filter(|grant| !used.contains(&format!("{room} {grant}"))) {
            wrong.insert(format!("HOUSE grants `{grant}` to `{room}`, which does without: take it back"));
        }
    }
    report(wrong);
}

#[test]
fn every_dependency_has_a_room() {
    let granted = BTreeSet::from_iter(house().into_values().flatten());
    let has_none = |library: &String| !granted.contains(handful(library).unwrap_or(library));
    report(libraries().into_iter().filter(has_none).map(|library| {
        format!("no room may name the dependency `{library}`. Place it in HOUSE, or drop it")
    }));
}

#[test]
fn the_rooms_are_those_of_the_house() {
    let (house, files, mut wrong) = (house(), rooms(), Vec::new());
    for row in house.keys().filter(|row| !files.iter().any(|file| file.room() == **row)) {
        wrong.push(format!("HOUSE has a row for `{row}`, but there is no such room: remove the row"));
    }
    for file in files.iter().filter(|file| file.module().len() == 1) {
        let (path, room) = (&file.path, file.room());
        if !file.text.starts_with("//! ") {
            wrong.push(format!("{path}:1: begin with a line `//! …` that says what the room is for"));
        }
        if room != "lib" && !house.contains_key(room) {
            wrong.push(format!("{path}: the room `{room}` has no row in HOUSE. What may it name?"));
        }
        let declares =
            |line: &str| ["//", "pub mod ", "pub use darkroom_"].iter().any(|start| line.starts_with(start));
        let other = |line: &str| !line.is_empty() && !declares(line);
        if let Some((_, line)) = file.text.lines().zip(1..).find(|(line, _)| room == "lib" && other(line)) {
            wrong.push(format!("{path}:{line}: this file only declares rooms: put the rest into one"));
        }
    }
    report(wrong);
}

#[test]
fn only_the_store_speaks_sql() {
    let mut wrong = Vec::new();
    for file in code().iter().filter(|file| file.room() != SQL_ROOM) {
        for (_, line) in file.words.iter().filter(|(word, _)| is_sql(word)) {
            wrong.push(format!("{}:{line}: this is SQL: have a function of `{SQL_ROOM}` do it", file.path));
        }
    }
    report(wrong);
}

#[test]
fn files_are_short_well_named_and_safe() {
    let mut wrong = Vec::new();
    for file in ["src", "tests", "benches", "crates"].into_iter().flat_map(files) {
        let (path, lines) = (&file.path, file.text.lines().count());
        if lines > MAX_LINES {
            wrong.push(format!("{path}: {lines} lines, {MAX_LINES} are allowed: split it by what it does"));
        }
        if let Some(name) = path.trim_end_matches(".rs").split('/').find(|name| EMPTY_NAMES.contains(name)) {
            wrong.push(format!("{path}: `{name}` says nothing: name it after what it holds"));
        }
        for (_, line) in file.words.iter().filter(|(word, _)| word == "unsafe" && path != UNSAFE_FILE) {
            wrong.push(format!("{path}:{line}: `unsafe` is for {UNSAFE_FILE} alone: use a safe function"));
        }
    }
    report(wrong);
}

/// Fails if anything is wrong, and says all of it.
fn report(wrong: impl IntoIterator<Item = String>) {
    let wrong = Vec::from_iter(wrong);
    assert!(wrong.is_empty(), "\n{}\n(the rules and HOUSE are in tests/architecture.rs)\n", wrong.join("\n"));
}

/// [`HOUSE`]: for each room the names it is granted, as [`names`] spells them.
fn house() -> BTreeMap<&'static str, BTreeSet<String>> {
    let row = |row: &'static str| {
        let cells = Vec::from_iter(row.split('|').map(str::trim));
        let [room, rooms, libraries] = cells[..] else { panic!("a row of HOUSE has three cells: {row}") };
        let rooms = rooms.split_whitespace().map(|room| format!("crate::{room}"));
        (room, rooms.chain(libraries.split_whitespace().map(str::to_owned)).collect())
    };
    HOUSE.trim().lines().map(row).collect()
}

/// Which of the [`HANDFULS`] holds a library.
fn handful(library: &str) -> Option<&'static str> {
    let holds = |libraries: &str| libraries.split(' ').any(|name| name == library);
    HANDFULS.iter().find(|(_, libraries)| holds(libraries)).map(|(handful, _)| *handful)
}

/// The room that a crate of this name is.
fn room_of(library: &str) -> Option<&str> {
    library.strip_prefix(ROOM_CRATE).filter(|room| CRATES.contains(room))
}

/// What the manifests let the rooms name, spelled as in code. The crates that are rooms are none of it.
fn libraries() -> BTreeSet<String> {
    let folders = CRATES.map(|room| format!("crates/{room}")).into_iter().chain([String::new()]);
    let mut libraries = BTreeSet::new();
    for folder in folders {
        let manifest = fs::read_to_string(Path::new(PROJECT).join(folder).join("Cargo.toml")).unwrap();
        libraries.extend(dependencies(DeTable::parse(&manifest).unwrap().get_ref()));
    }
    libraries.retain(|library| room_of(library).is_none());
    libraries
}

fn dependencies(manifest: &DeTable<'_>) -> BTreeSet<String> {
    let tables =
        manifest.iter().filter_map(|(key, value)| Some((key.get_ref(), value.get_ref().as_table()?)));
    // Only kamadak-exif has another name in code.
    let spelled = |package: &str| package.trim_start_matches("kamadak-").replace('-', "_");
    let in_table = |(key, table): (&DeString<'_>, &DeTable<'_>)| match &**key {
        "dependencies" => table.keys().map(|package| spelled(package.get_ref())).collect(),
        _ => dependencies(table),
    };
    tables.flat_map(in_table).collect()
}

/// A file of Rust.
struct File {
    /// From the project's folder, with slashes.
    path: String,
    text: String,
    words: Vec<Word>,
}

impl File {
    /// The room and the modules that lead here from it: `src/store/mod.rs` is `["store"]`, and `crates/probe/src/png.rs`
    /// is `["probe", "png"]`.
    fn module(&self) -> Vec<&str> {
        let path = self.path.trim_end_matches(".rs").trim_end_matches("/mod");
        let in_crate = path.strip_prefix("crates/").map(|path| path.trim_end_matches("/lib"));
        let path = in_crate.unwrap_or_else(|| path.trim_start_matches("src/"));
        path.split('/').filter(|step| in_crate.is_none() || *step != "src").collect()
    }

    /// What the file names, as [`names`] spells it, with the lines.
    fn names(&self) -> Vec<(usize, String)> {
        let spelled = |name: String| match room_of(&name) {
            Some(room) => format!("crate::{room}"),
            // A crate that is a room knows only itself by this name.
            None if name.starts_with("crate::") && CRATES.contains(&self.room()) => {
                format!("crate::{}", self.room())
            }
            None => name,
        };
        names(&self.words, &self.module()).into_iter().map(|(line, name)| (line, spelled(name))).collect()
    }

    fn room(&self) -> &str {
        self.module()[0]
    }
}

/// The files in a folder and below.
fn files(folder: &str) -> Vec<File> {
    let mut found = Vec::new();
    for entry in fs::read_dir(Path::new(PROJECT).join(folder)).unwrap().map(Result::unwrap) {
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            found.extend(files(&path));
        } else if path.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).unwrap();
            let tokens = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
            found.push(File { path, text, words: words(tokens) });
        }
    }
    found
}

/// The files of the rooms.
fn rooms() -> Vec<File> {
    let crates = CRATES.map(|room| files(&format!("crates/{room}/src")));
    crates.into_iter().flatten().chain(files("src")).collect()
}

/// The files of the rooms, without documentation and tests.
fn code() -> Vec<File> {
    let (mut files, mut tests) = (rooms(), Vec::new());
    for file in &mut files {
        let (kept, modules) = without_tests(&file.words);
        tests.extend(modules.into_iter().map(|name| format!("{}/{name}/", file.module().join("/"))));
        file.words = kept;
    }
    let is_test = |file: &File| tests.iter().any(|test| (file.module().join("/") + "/").starts_with(test));
    files.retain(|file| file.room() != "lib" && !is_test(file));
    files
}

fn is_sql(text: &str) -> bool {
    let lower = text.replace("\\n", " ").to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    let words = format!(" {} ", Vec::from_iter(words).join(" "));
    let says = |phrase: &str| words.contains(&format!(" {phrase} "));
    text.contains('"') && (SQL.split('|').any(says) || words.starts_with(" update ") && says("set"))
}
