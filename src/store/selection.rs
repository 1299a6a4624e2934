//! The statements of a list: which images pass, and in which order.

use super::conditions::{PIXELS, Statement};
use super::list::{ListFilter, Position, Sort, SortValue};
use super::record::SUMMARY;
use crate::domain::ImageId;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

/// So many images can be read and sorted at once.
pub(super) const FEW: i64 = 5_000;

/// What images are sorted by, beside the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Id,
    Taken,
    Pixels,
    Name,
}

impl Key {
    /// As the index has it. Only a capture time and pixels may be unknown.
    const fn sql(self) -> &'static str {
        match self {
            Self::Id => "null::bigint",
            Self::Taken => "i.taken_at",
            Self::Pixels => PIXELS,
            Self::Name => "(lower(i.original_name) collate \"C\")",
        }
    }
}

/// A filter and an order.
#[derive(Clone, Copy)]
pub(super) struct Selection<'a> {
    filter: &'a ListFilter,
    key: Key,
    descending: bool,
}

/// Images that follow each other in one index.
struct Part {
    rows: String,
    order: String,
}

impl<'a> Selection<'a> {
    pub(super) const fn new(filter: &'a ListFilter, sort: Sort) -> Self {
        let (key, descending) = match sort {
            Sort::Newest => (Key::Id, true),
            Sort::Oldest => (Key::Id, false),
            Sort::TakenNewest => (Key::Taken, true),
            Sort::TakenOldest => (Key::Taken, false),
            Sort::Largest => (Key::Pixels, true),
            Sort::Smallest => (Key::Pixels, false),
            Sort::Name => (Key::Name, false),
        };
        Self { filter, key, descending }
    }

    /// Where a row of an answer stands in the list; `None` if there is no image in it.
    pub(super) fn position(&self, row: &Row, id: &str, key: &str) -> Option<Position> {
        let id = row.get::<_, Option<i64>>(id).map(ImageId::new)?;
        let value = match self.key {
            Key::Id => None,
            Key::Taken => row.get::<_, Option<_>>(key).map(SortValue::Taken),
            Key::Pixels => row.get::<_, Option<_>>(key).map(SortValue::Pixels),
            Key::Name => row.get::<_, Option<_>>(key).map(SortValue::Name),
        };
        Some(Position { value: value.unwrap_or(SortValue::Absent), id })
    }

    /// Looks at the next `rows` images behind `after`, and stops as soon as `wanted` have passed: parts of a statement are
    /// read as far as somebody asks for their rows. If fewer have, `walked_id` and `walked_key` tell where it stopped,
    /// unless that is the end of the list.
    pub(super) fn walk(&self, after: Option<&Position>, rows: u32, wanted: usize) -> Statement {
        let mut statement = Statement::default();
        let fits = self.filter.conditions(&mut statement);
        let key = self.key.sql();
        let parts: Vec<String> = self
            .parts(after, &mut statement)
            .into_iter()
            .map(|Part { rows: part, order }| {
                format!(
                    "(select i.id, {key} as key, ({fits}) as fits from images i where {part} order by {order} limit {rows})"
                )
            })
            .collect();
        statement.sql = format!(
            "with walked as materialized (select * from ({parts}) as part limit {rows}),
            page as materialized (select id from walked where fits limit {wanted})
            select i.*, w.id as walked_id, w.key as walked_key from (select 1) as once
            left join lateral (
                select id, key from walked
                where (select count(*) from page) < {wanted} and (select count(*) from walked) = {rows}
                order by {backward} limit 1) w on true
            left join lateral (
                select {SUMMARY}, {key} as key from images i where i.id = any(array(select id from page))) i on true
            order by {forward}",
            parts = parts.join(" union all "),
            backward = order("", !self.descending, "first"),
            forward = order("i.", self.descending, "last"),
        );
        statement
    }

    /// Finds what passes by the index of one condition of the filter, tells in `passed` how many that are, and unless these
    /// are more than [`FEW`], the first `wanted` of them that pass the whole filter. `None` if no condition has an index.
    pub(super) fn few(&self, after: Option<&Position>, wanted: usize) -> Option<Statement> {
        let mut statement = Statement::default();
        let candidates = self.filter.candidates(&mut statement)?;
        let fits = self.filter.conditions(&mut statement);
        let behind = self.behind(after, &mut statement);
        let key = self.key.sql();
        statement.sql = format!(
            "with few as materialized (select i.id from images i where {candidates} limit {FEW} + 1),
            chosen as materialized (
                select i.id, {key} as key from images i
                where (select count(*) from few) <= {FEW} and i.id = any(array(select id from few)) and {fits} and {behind}),
            page as materialized (select id from chosen order by {forward_chosen} limit {wanted})
            select i.*, (select count(*) from few) as passed from (select 1) as once
            left join lateral (
                select {SUMMARY}, {key} as key from images i where i.id = any(array(select id from page))) i on true
            order by {forward}",
            forward_chosen = order("", self.descending, "last"),
            forward = order("i.", self.descending, "last"),
        );
        Some(statement)
    }

    /// What stands behind `after`, in the order of the list. Images that have no value to be sorted by are a part of their
    /// own, since a comparison with nothing is never true.
    fn parts(&self, after: Option<&Position>, statement: &mut Statement) -> Vec<Part> {
        let (key, way, beyond) = (self.key.sql(), way(self.descending), beyond(self.descending));
        if self.key == Key::Id {
            return vec![self.by_id(after, statement)];
        }
        let order = format!("{key} {way}, i.id {way}");
        let part = |rows: String| Part { rows, order: order.clone() };
        let unknown = || part(format!("{key} is null"));
        match after.map(|after| (sort_value(&after.value, statement), after.id.get())) {
            None if self.key == Key::Name => vec![part("true".to_owned())],
            None => vec![part(format!("{key} is not null")), unknown()],
            Some((Some(value), id)) => {
                let id = statement.place(id, Type::INT8);
                let known = part(format!("({key}, i.id) {beyond} ({value}, {id})"));
                if self.key == Key::Name { vec![known] } else { vec![known, unknown()] }
            }
            Some((None, id)) => {
                let id = statement.place(id, Type::INT8);
                vec![part(format!("{key} is null and i.id {beyond} {id}"))]
            }
        }
    }

    /// The order of ids. A condition on a column that has few values leads to what passes it without a walk over the others:
    /// said as a range of one value, so that only the index on the column and the id has the rows in this order. (With an
    /// equality the primary key would serve it too, and a planner that takes the value for a frequent one walks over all
    /// that have another.)
    fn by_id(&self, after: Option<&Position>, statement: &mut Statement) -> Part {
        let (way, beyond) = (way(self.descending), beyond(self.descending));
        let edge = if self.descending { i64::MAX } else { i64::MIN };
        let id = statement.place(after.map_or(edge, |after| after.id.get()), Type::INT8);
        if let Some(digest) = self.filter.sha256 {
            let digest = statement.place(digest.as_bytes().to_vec(), Type::BYTEA);
            let rows = format!("i.sha256 = {digest} and i.id {beyond} {id}");
            return Part { rows, order: format!("i.id {way}") };
        }
        match self.filter.equality(statement) {
            Some((column, value)) => {
                let not_before = if self.descending { ">=" } else { "<=" };
                Part {
                    rows: format!(
                        "{column} {not_before} {value} and ({column}, i.id) {beyond} ({value}, {id})"
                    ),
                    order: format!("{column} {way}, i.id {way}"),
                }
            }
            None => Part { rows: format!("i.id {beyond} {id}"), order: format!("i.id {way}") },
        }
    }

    /// What stands behind `after`, as one condition.
    fn behind(&self, after: Option<&Position>, statement: &mut Statement) -> String {
        let Some(after) = after else { return "true".to_owned() };
        if self.key == Key::Id {
            return format!(
                "i.id {} {}",
                beyond(self.descending),
                statement.place(after.id.get(), Type::INT8)
            );
        }
        let parts = self.parts(Some(after), statement).into_iter().map(|part| part.rows);
        format!("({})", parts.collect::<Vec<_>>().join(" or "))
    }
}

/// The place of what an image is sorted by, if that is known.
fn sort_value(value: &SortValue, statement: &mut Statement) -> Option<String> {
    match value {
        SortValue::Absent => None,
        SortValue::Taken(taken) => Some(statement.place(*taken, Type::TIMESTAMP)),
        SortValue::Pixels(pixels) => Some(statement.place(*pixels, Type::INT8)),
        SortValue::Name(name) => Some(statement.place(name.clone(), Type::TEXT)),
    }
}

const fn way(descending: bool) -> &'static str {
    if descending { "desc" } else { "asc" }
}

/// How what comes later in the list compares with what comes earlier.
const fn beyond(descending: bool) -> &'static str {
    if descending { "<" } else { ">" }
}

/// By value and id, with those that have no value at the given end.
fn order(of: &str, descending: bool, nulls: &str) -> String {
    let way = way(descending);
    format!("{of}key {way} nulls {nulls}, {of}id {way}")
}
