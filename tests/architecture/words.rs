//! Rust, word by word, and what the words of a module name.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use std::collections::BTreeMap;

/// A word, sign, bracket or literal of Rust, and its line. `::` is one sign.
pub(super) type Word = (String, usize);

pub(super) fn words(tokens: TokenStream) -> Vec<Word> {
    let (mut words, mut half) = (Vec::new(), false);
    for tree in tokens {
        let line = tree.span().start().line;
        let text = match &tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace | Delimiter::None => ("{", "}"),
                };
                words.push((open.to_owned(), line));
                words.extend(self::words(group.stream()));
                close.to_owned()
            }
            TokenTree::Punct(sign) if half && sign.as_char() == ':' => {
                words.pop();
                "::".to_owned()
            }
            TokenTree::Ident(name) => name.to_string().trim_start_matches("r#").to_owned(),
            other => other.to_string(),
        };
        half = text == ":" && matches!(&tree, TokenTree::Punct(sign) if sign.spacing() == Spacing::Joint);
        words.push((text, line));
    }
    words
}

/// Leaves out documentation and test modules, and gives the names of these modules too.
pub(super) fn without_tests(words: &[Word]) -> (Vec<Word>, Vec<String>) {
    let texts = Vec::from_iter(words.iter().map(|(word, _)| word.as_str()));
    let (mut kept, mut modules, mut at) = (Vec::new(), Vec::new(), 0);
    while at < texts.len() {
        match texts[at..] {
            ["#", "[", "doc", "=", ..] => at += 6,
            ["#", "!", "[", "doc", "=", ..] => at += 7,
            ["#", "[", "cfg", "(", "test", ")", "]", "mod", name, ref body @ ..] => {
                modules.push(name.to_owned());
                let mut open = 0;
                let end = body.iter().position(|text| {
                    open += i32::from(*text == "{") - i32::from(*text == "}");
                    open == 0 && ["}", ";"].contains(text)
                });
                at += 10 + end.unwrap();
            }
            _ => {
                kept.push(words[at].clone());
                at += 1;
            }
        }
    }
    (kept, modules)
}

/// What the words of a module name, with the lines: `crate::store` for a child of the crate's root, whichever way
/// it is reached; of any other path the first name, which may be a library's.
pub(super) fn names(words: &[Word], module: &[&str]) -> Vec<(usize, String)> {
    let texts = Vec::from_iter(words.iter().map(|(word, _)| word.as_str()));
    let (scope, mut found, mut at) = (scope(&texts), Vec::new(), 0);
    while at < texts.len() {
        let mut paths = Vec::new();
        let mut read = |at| read_path(&texts, at, &[], &mut paths);
        let next = match texts[at..] {
            ["use", ..] | ["extern", "crate", ..] => read(at + 1),
            ["::", _, "::", ..] => read(at),
            [name, "::", next, ..] if name.starts_with(char::is_alphabetic) && next != "<" => read(at),
            _ => at + 1,
        };
        found.extend(names_inside(texts[at], module).map(|name| (words[at].1, name)));
        for (path, end) in paths {
            found.extend(first_name(&path, module, &scope).map(|name| (words[end].1, name)));
        }
        at = next;
    }
    found
}

/// What a text names, if the word is a literal text and its content can be cut into words.
fn names_inside(word: &str, module: &[&str]) -> impl Iterator<Item = String> + use<> {
    let content = word.split_once('"').map_or("", |(_, content)| content.trim_end_matches(['"', '#']));
    let content = content.parse().map(words).unwrap_or_default();
    names(&content, module).into_iter().map(|(_, name)| name)
}

/// What `mod` and `use` bring into scope, with the first name of where it comes from. What is renamed, or brought into
/// a function or an inner module only, is left out: there the test would rather complain once too often.
fn scope<'a>(texts: &[&'a str]) -> BTreeMap<&'a str, &'a str> {
    let (mut scope, mut paths, mut open) = (BTreeMap::new(), Vec::new(), 0);
    for at in 0..texts.len() {
        match texts[at..] {
            ["{", ..] => open += 1,
            ["}", ..] => open -= 1,
            ["mod", name, ..] if open == 0 => scope.extend([(name, "self")]),
            ["use", ..] if open == 0 => _ = read_path(texts, at + 1, &[], &mut paths),
            _ => {}
        }
    }
    for (path, _) in paths.iter().filter(|(_, end)| texts.get(end + 1) != Some(&"as")) {
        scope.extend(path.iter().rfind(|name| **name != "self").map(|name| (*name, path[0])));
    }
    scope
}

/// The names of a path, the first of which is empty if it starts with `::`; and which word it ends with.
type Names<'a> = (Vec<&'a str>, usize);

/// Reads the path, or the branches of the `use` tree, that starts at a word; gives the place after it.
fn read_path<'a>(texts: &[&'a str], mut at: usize, prefix: &[&'a str], found: &mut Vec<Names<'a>>) -> usize {
    let mut path = prefix.to_vec();
    loop {
        match texts[at..] {
            ["::", ..] => {
                path.push("");
                at += 1;
            }
            [name, "::", ..] => {
                path.push(name);
                at += 2;
            }
            ["{", ..] => {
                at += 1;
                while texts[at] != "}" {
                    at = match texts[at] {
                        "," => at + 1,
                        "as" => at + 2,
                        _ => read_path(texts, at, &path, found),
                    };
                }
                return at + 1;
            }
            [name, ..] => {
                path.push(name);
                found.push((path, at));
                return at + 1;
            }
            [] => return at,
        }
    }
}

/// What a path starts with, unless that is in its own module or was looked at where it came in.
fn first_name(path: &[&str], module: &[&str], scope: &BTreeMap<&str, &str>) -> Option<String> {
    let steps = path.iter().take_while(|name| ["self", "super"].contains(name)).count();
    let climbed = path[..steps].iter().filter(|step| **step == "super").count();
    match *path {
        ["crate" | "darkroom", ref rest @ ..] => Some(format!("crate::{}", rest.first().unwrap_or(&"self"))),
        ["self" | "super", ..] if climbed < module.len() => None,
        ["self" | "super", ..] => Some(format!("crate::{}", path.get(steps).unwrap_or(&"self"))),
        ["", library, ..] => Some(library.to_owned()),
        [first, ..] if scope.get(first).is_some_and(|origin| *origin != first) => None,
        [first, ..] => Some(first.to_owned()),
        [] => None,
    }
}
