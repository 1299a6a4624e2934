//! Images that look alike: the nearest hashes, by multi-index hashing.
//!
//! Hashes of 64 bits are looked up in four blocks of 16 (M. Norouzi, A. Punjani, D. J. Fleet, "Fast Search in Hamming Space
//! with Multi-Index Hashing", 2012). If two hashes differ in d = 4r + a bits at the most, they differ in no more than r bits
//! in one of the first a + 1 blocks, or in no more than r − 1 in one of the others; else they would differ in more than d.
//! So few values of each block have to be looked up, and only what they find is compared as a whole.

use super::error::{Doing, Fault};
use super::record::{SUMMARY, summary};
use super::{ImageSummary, Store, StoreError, Value, batch, begin, commit, query_opt, query_planned};
use crate::domain::{ImageId, PerceptualHash};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

const DOING: &str = "looking for similar images";

/// Each value is looked up by itself. A planner without statistics would rather read all hashes, and have others help.
const LOOKING_UP: &str = "set local enable_seqscan = off; set local max_parallel_workers_per_gather = 0";

/// The blocks of a hash, as the indexes have them, the highest first.
const BLOCKS: [&str; 4] =
    ["((hash >> 48) & 65535)", "((hash >> 32) & 65535)", "((hash >> 16) & 65535)", "(hash & 65535)"];

/// An image and how much it differs from the one that was asked about.
#[derive(Debug, Clone)]
pub struct SimilarImage {
    /// In how many bits the hashes differ.
    pub distance: u32,
    /// The image.
    pub image: ImageSummary,
}

/// A place among similar images: behind the one with this distance and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimilarPosition {
    /// The distance.
    pub distance: u32,
    /// The id; it decides where distances are equal.
    pub id: ImageId,
}

/// What is known of images that look like one.
#[derive(Debug, Clone)]
#[must_use]
pub enum Similar {
    /// A part of them, the nearest first, and where the next part begins.
    Found(Vec<SimilarImage>, Option<SimilarPosition>),
    /// The picture was not looked at yet.
    NotReady,
    /// The image has failed.
    Failed,
    /// The picture is even, or was processed by a version that made no hashes.
    NoHash,
    /// There is no such image.
    NoSuchImage,
}

impl Store {
    /// Up to `limit` other images whose hash differs from that of `id` in `distance` bits or fewer, the nearest first.
    ///
    /// # Errors
    /// If Postgres is away, refuses, holds what cannot be understood, or it takes too long because hundreds of thousands look
    /// alike.
    pub async fn similar(
        &self,
        id: ImageId,
        distance: u32,
        after: Option<SimilarPosition>,
        limit: u32,
    ) -> Result<Similar, StoreError> {
        let mut client = self.client(DOING).await?;
        let transaction = begin(&mut client).await.doing(DOING)?;
        let sql = "select i.status, i.width is not null as was_looked_at, h.hash
                   from images i left join perceptual_hashes h on h.image_id = i.id where i.id = $1";
        let Some(row) = query_opt(&transaction, sql, &[&id.get()]).await.doing(DOING)? else {
            return Ok(Similar::NoSuchImage);
        };
        let Some(hash) = row.get::<_, Option<i64>>("hash") else {
            return Ok(match (row.get("status"), row.get("was_looked_at")) {
                ("failed", _) => Similar::Failed,
                (_, false) => Similar::NotReady,
                (_, true) => Similar::NoHash,
            });
        };
        let probes = probes(PerceptualHash::new(hash.cast_unsigned()), distance);
        let (after_distance, after_id) = after.map_or((-1, 0), |at| (i64::from(at.distance), at.id.get()));
        let (most, one_more) = (i64::from(distance), i64::from(limit) + 1);
        let image = id.get();
        let mut values: Vec<(Value<'_>, Type)> = vec![
            (&hash, Type::INT8),
            (&most, Type::INT8),
            (&after_distance, Type::INT8),
            (&after_id, Type::INT8),
            (&image, Type::INT8),
            (&one_more, Type::INT8),
        ];
        values.extend(probes.iter().map(|(_, probe)| (probe as Value<'_>, Type::INT8_ARRAY)));
        let sql = nearest(probes.iter().map(|(block, _)| *block));
        batch(&transaction, LOOKING_UP).await.doing(DOING)?;
        let rows = query_planned(&transaction, &sql, &values).await.map_err(given_up)?;
        commit(transaction).await.doing(DOING)?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            let distance = u32::try_from(row.get::<_, i64>("distance")).unwrap_or(PerceptualHash::BITS);
            found.push(SimilarImage { distance, image: summary(row)? });
        }
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let last = found.last().map(|last| SimilarPosition { distance: last.distance, id: last.image.id });
        Ok(Similar::Found(found, if more { last } else { None }))
    }
}

fn given_up(fault: Fault) -> StoreError {
    match fault {
        Fault::Driver(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => StoreError::SearchTooLong,
        other => other.while_doing(DOING),
    }
}

/// The statement that looks up these blocks: `$1` is the hash, `$2` the distance, `$3` and `$4` the place behind which, `$5`
/// the image that is left out, `$6` how many; then the values of each block.
fn nearest(blocks: impl Iterator<Item = &'static str>) -> String {
    let looked_up = blocks.zip(7..).map(|(block, place)| {
        format!(
            "select image_id, bit_count((hash # $1)::bit(64)) as distance
             from unnest(${place}) as looked_up (value) join perceptual_hashes on {block} = looked_up.value
             where bit_count((hash # $1)::bit(64)) <= $2"
        )
    });
    format!(
        "with near as (
            select distinct distance, image_id from ({}) as block
            where (distance, image_id) > ($3, $4) and image_id <> $5
            order by distance, image_id limit $6)
        select near.distance, {SUMMARY} from near join images i on i.id = near.image_id
        order by near.distance, i.id",
        looked_up.collect::<Vec<_>>().join(" union all ")
    )
}

/// The values of each block that a hash within `distance` may have; blocks that need not be looked at are left out.
fn probes(hash: PerceptualHash, distance: u32) -> Vec<(&'static str, Vec<i64>)> {
    let (radius, rest) = (distance / 4, distance % 4);
    let blocks = BLOCKS.into_iter().zip([48, 32, 16, 0]).zip(0..);
    let probed = blocks.filter_map(|((block, shift), number)| {
        let radius = if number <= rest { Some(radius) } else { radius.checked_sub(1) };
        let own = hash.bits() >> shift & 0xffff;
        let flips =
            (0..=0xffff_u64).filter(|flips| radius.is_some_and(|radius| flips.count_ones() <= radius));
        let values: Vec<i64> = flips.map(|flips| (own ^ flips).cast_signed()).collect();
        (!values.is_empty()).then_some((block, values))
    });
    probed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a hash is among what is looked up for another one.
    fn is_met(hash: u64, other: u64, distance: u32) -> bool {
        let shift = |block| BLOCKS.iter().zip([48, 32, 16, 0]).find(|(name, _)| **name == block).unwrap().1;
        probes(PerceptualHash::new(hash), distance)
            .iter()
            .any(|(block, values)| values.contains(&(other >> shift(*block) & 0xffff).cast_signed()))
    }

    #[test]
    fn no_hash_within_the_distance_is_missed() {
        let mut bits = 0x0123_4567_89ab_cdef_u64;
        let mut random = || {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            bits >> 32
        };
        for distance in 0..=15 {
            for _ in 0..20 {
                let hash = random() << 32 | random();
                let mut other = hash;
                while (hash ^ other).count_ones() < distance {
                    other ^= 1 << (random() % 64);
                }
                assert!(is_met(hash, other, distance), "{hash:x} {other:x} {distance}");
            }
        }
        // The same number of bits in each block, and one more than that in the others.
        assert!(is_met(0, 0x0003_0003_0003_0003, 8));
        assert!(is_met(0, 0x0007_0003_0003_0000, 7) && is_met(0, 0x0000_0000_0000_0001, 1));
    }

    #[test]
    fn little_is_looked_up() {
        let looked_up = |distance| -> usize {
            probes(PerceptualHash::new(7), distance).iter().map(|(_, values)| values.len()).sum()
        };
        assert_eq!([0, 3, 8, 15].map(looked_up), [1, 4, 137 + 3 * 17, 4 * 697]);
    }
}
