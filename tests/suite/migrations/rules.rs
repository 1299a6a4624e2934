//! What a migration may not say as long as processes of the last release run on the schema that it makes.

use std::collections::BTreeSet;

/// How a comment begins by which a person takes a statement upon himself: the processes of which release, and later ones, can
/// live with it; and behind a colon, why.
const MARK: &str = "fits since ";

/// A release as a number that can be compared.
pub fn version(text: &str) -> [u32; 3] {
    let parts: Vec<u32> = text.split('.').map(|part| part.parse().unwrap()).collect();
    parts.try_into().unwrap_or_else(|_| panic!("{text} is no version"))
}

/// A statement: its words in small letters, without comments and texts.
#[derive(Default)]
struct Statement {
    words: Vec<String>,
    fits_since: Option<[u32; 3]>,
}

impl Statement {
    fn says(&self, phrase: &[&str]) -> bool {
        self.words.windows(phrase.len()).any(|words| words == phrase)
    }

    /// The words behind the first that read so.
    fn behind(&self, phrase: &[&str]) -> Option<&[String]> {
        let at = self.words.windows(phrase.len()).position(|words| words == phrase)?;
        Some(&self.words[at + phrase.len()..])
    }

    /// The table whose rows it is about.
    fn table(&self) -> Option<&String> {
        let words = self.behind(&["alter", "table"]).or_else(|| self.behind(&["on"]))?;
        words.iter().find(|word| !["if", "exists", "only"].contains(&word.as_str()))
    }

    /// The actions of an `alter table`, which commas outside of brackets divide.
    fn actions(&self) -> impl Iterator<Item = &[String]> {
        let mut depth = 0;
        self.words.split(move |word| {
            depth += i32::from(word == "(") - i32::from(word == ")");
            depth == 0 && word == ","
        })
    }

    /// The first thing in it that a process of the last release may be unable to live with.
    fn contraction(&self) -> Option<&'static str> {
        const PHRASES: [(&[&str], &str); 12] = [
            (&["drop"], "drop"),
            (&["truncate"], "truncate"),
            (&["rename"], "rename"),
            (&["set", "not", "null"], "set not null"),
            (&["set", "data", "type"], "type"),
            (&["add", "constraint"], "add constraint"),
            (&["add", "check"], "add check"),
            (&["add", "unique"], "add unique"),
            (&["add", "primary", "key"], "add primary key"),
            (&["add", "foreign", "key"], "add foreign key"),
            (&["add", "exclude"], "add exclude"),
            (&["create", "unique", "index"], "create unique index"),
        ];
        if let Some((_, name)) = PHRASES.iter().find(|(phrase, _)| self.says(phrase)) {
            return Some(name);
        }
        let alters_type = |words: &[String]| ["alter", "column"].contains(&&*words[0]) && words[2] == "type";
        if self.says(&["alter", "table"]) && self.words.windows(3).any(alters_type) {
            return Some("type");
        }
        let says = |action: &[String], word: &str| action.iter().any(|other| other == word);
        let demands = |action: &[String]| {
            says(action, "add")
                && action.windows(2).any(|words| words == ["not", "null"])
                && !says(action, "default")
                && !says(action, "generated")
        };
        let demanded = self.says(&["alter", "table"]) && self.actions().any(demands);
        demanded.then_some("not null without a default")
    }
}

/// What the last release, `previous`, may be unable to live with in the migrations that are newer.
pub fn complaints(newer: &[(String, String)], previous: [u32; 3]) -> Vec<String> {
    let (mut new_tables, mut complaints) = (BTreeSet::new(), Vec::new());
    for (name, sql) in newer {
        for statement in statements(sql) {
            if let Some(words) = statement.behind(&["create", "table"]) {
                new_tables.extend(
                    words.iter().find(|word| !["if", "not", "exists"].contains(&word.as_str())).cloned(),
                );
                continue;
            }
            // Of a table that it does not know a process of the last release wants nothing.
            let is_new = statement.table().is_some_and(|table| new_tables.contains(table));
            let fits = statement.fits_since.is_some_and(|since| since <= previous);
            if let Some(contraction) = statement.contraction().filter(|_| !is_new && !fits) {
                complaints.push(format!(
                    "{name}: {contraction}: `{}`. Leave it to a later release (docs/upgrades.md); or, if the last one can \
                     live with it, say why in a line before it: -- {MARK}VERSION: …",
                    statement.words.join(" ")
                ));
            }
        }
    }
    complaints
}

/// Cuts SQL into statements. The bodies of functions and of `do` are cut like all else.
fn statements(sql: &str) -> Vec<Statement> {
    let (mut statements, mut statement) = (Vec::new(), Statement::default());
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("--") {
            let comment = rest.lines().next().unwrap();
            if let Some(mark) = comment.trim_start_matches(['-', ' ']).strip_prefix(MARK) {
                statement.fits_since = mark.split_once(':').map(|(since, _)| version(since.trim()));
            }
            comment.len()
        } else if rest.starts_with("$$") || first == ';' {
            statements.push(std::mem::take(&mut statement));
            if first == ';' { 1 } else { 2 }
        } else if first == '\'' {
            // Two in a row are a quote in a text, and as good as two texts in a row here.
            2 + rest[1..].find('\'').unwrap()
        } else if first.is_alphanumeric() || first == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            statement.words.push(rest[..length].to_lowercase());
            length
        } else {
            if "(),".contains(first) {
                statement.words.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    statements.push(statement);
    statements
}
