//! What a filter asks of an image, as conditions of a statement.

use super::Value;
use super::list::{ListFilter, Span};
use super::selection::FEW;
use tokio_postgres::types::{ToSql, Type};

/// As the index has it.
pub(super) const PIXELS: &str = "(i.width::bigint * i.height)";

/// A statement with its values.
#[derive(Default)]
pub(super) struct Statement {
    pub(super) sql: String,
    values: Vec<(Box<dyn ToSql + Sync + Send>, Type)>,
}

impl Statement {
    /// Adds a value, and gives the name of its place.
    pub(super) fn place(&mut self, value: impl ToSql + Sync + Send + 'static, of: Type) -> String {
        self.values.push((Box::new(value), of));
        format!("${}", self.values.len())
    }

    pub(super) fn values(&self) -> Vec<(Value<'_>, Type)> {
        self.values.iter().map(|(value, of)| (&**value as Value<'_>, of.clone())).collect()
    }
}

impl ListFilter {
    /// The whole self.
    pub(super) fn conditions(&self, statement: &mut Statement) -> String {
        let mut all = vec!["true".to_owned()];
        if let Some(digest) = self.sha256 {
            all.push(format!("i.sha256 = {}", statement.place(digest.as_bytes().to_vec(), Type::BYTEA)));
        }
        if let Some(status) = self.status {
            all.push(format!("i.status = {}", statement.place(status.as_str(), Type::TEXT)));
        }
        if let Some(format) = self.format {
            all.push(format!("i.format = {}", statement.place(format.as_str(), Type::TEXT)));
        }
        if let Some(has_gps) = self.has_gps {
            all.push(format!("i.has_gps = {}", statement.place(has_gps, Type::BOOL)));
        }
        for (column, part) in texts(self) {
            if let Some(part) = part {
                all.push(format!("{column} ilike {}", statement.place(containing(part), Type::TEXT)));
            }
        }
        if let Some(code) = self.finding {
            let code = statement.place(code.as_str(), Type::TEXT);
            // Looked up for each row: of an `exists`, the planner would make a table of all findings of this code.
            all.push(format!(
                "(select true from findings f where f.image_id = i.id and f.code = {code} limit 1) is not null"
            ));
        }
        all.extend(within("i.taken_at", self.taken, &Type::TIMESTAMP, statement));
        all.extend(within("i.size_bytes", self.bytes, &Type::INT8, statement));
        all.extend(within(PIXELS, self.pixels, &Type::INT8, statement));
        all.join(" and ")
    }

    /// The condition on a column with few values that most likely passes the fewest images.
    pub(super) fn equality(&self, statement: &mut Statement) -> Option<(&'static str, String)> {
        let ListFilter { status, has_gps, format, .. } = self;
        if let Some(status) = status {
            Some(("i.status", statement.place(status.as_str(), Type::TEXT)))
        } else if let Some(has_gps) = has_gps {
            Some(("i.has_gps", statement.place(*has_gps, Type::BOOL)))
        } else {
            format.map(|format| ("i.format", statement.place(format.as_str(), Type::TEXT)))
        }
    }

    /// One condition, with the order of its index: the one that most likely passes the fewest images.
    pub(super) fn candidates(&self, statement: &mut Statement) -> Option<String> {
        if let Some(digest) = self.sha256 {
            return Some(format!("i.sha256 = {}", statement.place(digest.as_bytes().to_vec(), Type::BYTEA)));
        }
        for (column, part) in texts(self) {
            if let Some(part) = part.filter(|part| has_trigram(part)) {
                return Some(format!("{column} ilike {}", statement.place(containing(part), Type::TEXT)));
            }
        }
        if let Some(code) = self.finding {
            let code = statement.place(code.as_str(), Type::TEXT);
            return Some(format!(
                "i.id = any(array(select f.image_id from findings f where f.code = {code} limit {FEW} + 1))"
            ));
        }
        let in_range = |column: &str, conditions: Vec<String>| {
            (!conditions.is_empty()).then(|| format!("{} order by {column}", conditions.join(" and ")))
        };
        in_range("i.taken_at", within("i.taken_at", self.taken, &Type::TIMESTAMP, statement))
            .or_else(|| in_range("i.size_bytes", within("i.size_bytes", self.bytes, &Type::INT8, statement)))
            .or_else(|| in_range(PIXELS, within(PIXELS, self.pixels, &Type::INT8, statement)))
            .or_else(|| {
                let (column, value) = self.equality(statement)?;
                // As in `by_id`.
                Some(format!("{column} >= {value} and {column} <= {value} order by {column}, i.id"))
            })
    }
}

/// The searches in texts.
fn texts(filter: &ListFilter) -> [(&'static str, Option<&str>); 2] {
    [("i.original_name", filter.name_contains.as_deref()), ("i.camera", filter.camera_contains.as_deref())]
}

/// Whether an index of trigrams can look for a text: in one without three letters or digits in a row, it would find none and
/// lead to every row.
fn has_trigram(part: &str) -> bool {
    part.split(|c: char| !c.is_alphanumeric()).any(|word| word.chars().count() >= 3)
}

/// What a span says of a column.
fn within<T: ToSql + Sync + Send + 'static>(
    column: &str,
    span: Span<T>,
    of: &Type,
    statement: &mut Statement,
) -> Vec<String> {
    let mut bound = |sign: &str, value: Option<T>| {
        value.map(|value| format!("{column} {sign} {}", statement.place(value, of.clone())))
    };
    [bound(">=", span.from), bound("<", span.before)].into_iter().flatten().collect()
}

/// A pattern of `like` that matches any text with `part` in it, whatever `part` holds.
fn containing(part: &str) -> String {
    let mut pattern = String::from("%");
    for c in part.chars().filter(|c| *c != '\0') {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_with_a_trigram_choose_candidates() {
        let chosen = |text: &str| {
            let filter = ListFilter { name_contains: Some(text.to_owned()), ..ListFilter::default() };
            filter.candidates(&mut Statement::default()).is_some()
        };
        for text in ["img", "a-2026", "été", "%abc"] {
            assert!(chosen(text), "{text}");
        }
        for text in ["", "x", "ab", "a_b", "1.2.3", "%%%%", "ab cd"] {
            assert!(!chosen(text), "{text}");
        }
    }

    #[test]
    fn another_condition_chooses_where_a_text_cannot() {
        let filter = ListFilter {
            name_contains: Some("ab".to_owned()),
            camera_contains: Some("canon".to_owned()),
            ..ListFilter::default()
        };
        let candidates = filter.candidates(&mut Statement::default()).unwrap();
        assert!(candidates.starts_with("i.camera ilike"), "{candidates}");
    }
}
