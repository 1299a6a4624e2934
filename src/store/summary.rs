//! What a statement does, in a few words without values: `INSERT images INSERT jobs`.

use std::collections::BTreeSet;
use std::fmt;

/// The operations of a statement with their tables, in their order (`db.query.summary` of OpenTelemetry's semantic
/// conventions), written only if somebody asks. It is meant for the statements of this room, not for all of SQL.
pub(super) struct Summary<'a>(pub(super) &'a str);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = words(self.0);
        let parts = parts(&words);
        if parts.is_empty() {
            return f.write_str(&words.first().copied().unwrap_or_default().to_uppercase());
        }
        f.write_str(&parts.join(" "))
    }
}

/// Names, key words, and marks one by one; what stands in quotes counts as a mark.
fn words(sql: &str) -> Vec<&str> {
    let (mut words, mut rest) = (Vec::new(), sql.trim_start());
    while let Some(first) = rest.chars().next() {
        let is_in = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.');
        let length = match first {
            '\'' => rest.get(1..).and_then(|text| text.find('\'')).map_or(rest.len(), |end| end + 2),
            first if is_in(first) => rest.find(|c| !is_in(c)).unwrap_or(rest.len()),
            other => other.len_utf8(),
        };
        let (word, after) = rest.split_at(length);
        words.push(word);
        rest = after.trim_start();
    }
    words
}

fn parts(words: &[&str]) -> Vec<String> {
    let at = |index: usize| words.get(index).copied().unwrap_or_default();
    // What the statement itself calls a table is none.
    let is_named = |index: usize| at(index + 1) == "as" && matches!(at(index + 2), "(" | "materialized");
    let named: BTreeSet<&str> = (0..words.len()).filter(|index| is_named(*index)).map(at).collect();
    let is_table =
        |index: usize| at(index).starts_with(|c: char| c.is_ascii_lowercase()) && !named.contains(at(index));
    let mut parts: Vec<String> = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let before = index.checked_sub(1).map_or("", at);
        let (operation, table) = match *word {
            "into" if before == "insert" => ("INSERT", index + 1),
            "from" if before == "delete" => ("DELETE", index + 1),
            // Not of `for update`, `for no key update` and `on conflict do update`.
            "update" if !matches!(before, "for" | "key" | "do") => ("UPDATE", index + 1),
            // Not of `extract(epoch from …)`, `is distinct from` and functions.
            "from" | "join" if !matches!(before, "epoch" | "distinct") && at(index + 2) != "(" => {
                ("SELECT", index + 1)
            }
            _ => continue,
        };
        let part = format!("{operation} {}", at(table));
        if is_table(table) && !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_names_operations_and_tables_and_no_value() {
        for (sql, summary) in [
            ("select 1 from images where id = $1", "SELECT images"),
            (
                "
                with image as (
                    insert into images (original_name) values ($1) returning id
                ), job as (insert into jobs (image_id, kind) select id, 'image' from image)
                select id, pg_notify('darkroom_images', 'from secrets') from image",
                "INSERT images INSERT jobs",
            ),
            (
                "update jobs set a = 1 where id in (select id from jobs where now() > b for update skip locked)",
                "UPDATE jobs SELECT jobs",
            ),
            (
                "with c as materialized (select 1 from images for no key update) select extract(epoch from now() - x)
                 from c join thumbnails t on a is distinct from b cross join lateral (select 1) d, unnest($1) e",
                "SELECT images SELECT thumbnails",
            ),
            ("delete from tally_deltas where name = 'it''s from x'", "DELETE tally_deltas"),
            ("insert into a (b) values ('') on conflict (b) do update set b = 1", "INSERT a"),
            ("set local enable_sort = off", "SET"),
            ("commit", "COMMIT"),
            ("", ""),
            ("select 'never closed", "SELECT"),
        ] {
            assert_eq!(Summary(sql).to_string(), summary, "{sql}");
        }
    }
}
