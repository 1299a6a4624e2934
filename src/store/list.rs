//! Lists of images, newest first, at any number of images.

use super::error::{Doing, Fault};
use super::record::{SUMMARY, summary};
use super::{ImageSummary, Store, StoreError, Value, answered, query};
use crate::domain::{ImageId, ImageStatus, Sha256};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

/// How many of the newest names are looked at before the index is asked: what is searched for is mostly among them.
const NEAR: i64 = 2000;

/// Which images a list shows; all conditions together.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    /// Only this status.
    pub status: Option<ImageStatus>,
    /// Only names that contain this text, in any case.
    pub name_contains: Option<String>,
    /// Only these bytes.
    pub sha256: Option<Sha256>,
    /// Only images uploaded before this one.
    pub before: Option<ImageId>,
}

/// A part of a list, newest first.
#[derive(Debug, Clone)]
pub struct Page {
    /// The images.
    pub images: Vec<ImageSummary>,
    /// Where the next part begins, if there is one: the `before` of its filter.
    pub next: Option<ImageId>,
}

impl Store {
    /// Up to `limit` images, newest first.
    ///
    /// # Errors
    /// If Postgres is away, refuses, holds what cannot be understood, or a search in names takes too long.
    pub async fn images(&self, filter: &ListFilter, limit: u32) -> Result<Page, StoreError> {
        let doing = "listing images";
        let client = self.client(doing).await?;
        let digest = filter.sha256.as_ref().map(|digest| digest.as_bytes().as_slice());
        let pattern = filter.name_contains.as_deref().map(containing);
        let before = filter.before.map_or(i64::MAX, ImageId::get);
        let one_more = i64::from(limit) + 1;
        let status = filter.status.map(ImageStatus::as_str);
        let mut values: Vec<(Value<'_>, Type)> = vec![(&one_more, Type::INT8), (&before, Type::INT8)];
        let mut place = |value, of_type| {
            values.push((value, of_type));
            values.len()
        };
        let selection = Selection::new(
            digest.as_ref().map(|digest| place(digest, Type::BYTEA)),
            status.as_ref().map(|status| place(status, Type::TEXT)),
        );
        let rows = if let Some(pattern) = &pattern {
            let sql = selection.search(place(pattern, Type::TEXT));
            // Planned anew for each search: whether the index on names helps depends on the text.
            answered(client.query_typed(&sql, &values)).await.map_err(|fault| given_up(fault, doing))?
        } else {
            let values: Vec<Value<'_>> = values.iter().map(|(value, _)| *value).collect();
            query(&client, &selection.page(), &values).await.doing(doing)?
        };
        let mut images = rows.iter().map(summary).collect::<Result<Vec<_>, _>>()?;
        let more = images.len() > limit as usize;
        images.truncate(limit as usize);
        let next = if more { images.last().map(|image| image.id) } else { None };
        Ok(Page { images, next })
    }
}

/// Which images, and in which order; `$1` is how many are wanted, `$2` the id before which they are.
struct Selection {
    /// What holds for each.
    conditions: String,
    /// The same, said so that an index in the right order is the only way to them.
    in_order: String,
    order: &'static str,
}

impl Selection {
    /// From the places of the values.
    fn new(digest: Option<usize>, status: Option<usize>) -> Self {
        let mut conditions = "i.id < $2".to_owned();
        for (column, place) in [("sha256", digest), ("status", status)] {
            if let Some(place) = place {
                conditions += &format!(" and i.{column} = ${place}");
            }
        }
        match (digest, status) {
            // With an equality the primary key would serve this order too, and a planner that takes the status for a
            // frequent one walks over all that have another. A range of one value is the same rows, and only the index
            // on status and id has them in this order.
            (None, Some(status)) => Self {
                conditions,
                in_order: format!("i.status >= ${status} and (i.status, i.id) < (${status}, $2)"),
                order: "i.status desc, i.id desc",
            },
            _ => Self { in_order: conditions.clone(), conditions, order: "i.id desc" },
        }
    }

    fn page(&self) -> String {
        let Self { in_order, order, .. } = self;
        format!("select {SUMMARY} from images i where {in_order} order by {order} limit $1")
    }

    /// A text that many names contain is found among the newest at once, by reading on until the page is full; one that few
    /// contain is not, and takes the index on names. Which of them it is, a planner can only guess, so the newest are
    /// tried first, up to a bound.
    fn search(&self, pattern: usize) -> String {
        let Self { conditions, in_order, order } = self;
        format!(
            "with newest as materialized (
                select i.id, i.original_name from images i where {in_order} order by {order} limit {NEAR}
            ), near as materialized (
                select id from newest where original_name ilike ${pattern} order by id desc limit $1
            ), far as (
                select i.id from images i
                where (select count(*) from newest) = {NEAR} and (select count(*) from near) < $1
                  and i.id < (select min(id) from newest) and {conditions} and i.original_name ilike ${pattern}
                order by i.id desc limit $1)
            select {SUMMARY} from images i
            where i.id = any(array(select id from near union all select id from far order by id desc limit $1))
            order by i.id desc"
        )
    }
}

/// A search that exceeds the time of a statement says nothing of the state of the database.
fn given_up(fault: Fault, doing: &'static str) -> StoreError {
    match fault {
        Fault::Driver(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => StoreError::SearchTooLong,
        other => other.while_doing(doing),
    }
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
