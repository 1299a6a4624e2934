//! The kept counts against the rows: after everything that can happen to an image they are the same.

use crate::full_tables::store;
use crate::support::database::Database;
use darkroom::domain::{
    Failure, FailureCode, FileKey, ImageFormat, ImageId, JobId, Metadata, Orientation, OriginalName, Sha256,
    Stage, StageRun, ThumbnailFormat, ThumbnailSize,
};
use darkroom::store::{
    Claim, Ending, Finish, History, Lease, MadeImage, MadeThumbnail, NewImage, Recorded, Retried, Store, Work,
};
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(30);

pub async fn upload(store: &Store) -> ImageId {
    let image = NewImage {
        original_name: OriginalName::clean("a.jpg").unwrap(),
        format: ImageFormat::Jpeg,
        sha256: Sha256::new(rand::random()),
        size_bytes: 1000,
        key: FileKey::original(rand::random(), ImageFormat::Jpeg),
        idempotency_key: None,
        callback_url: None,
    };
    match store.record_upload(&image).await.unwrap() {
        Recorded::New(id) => id,
        other => panic!("{other:?}"),
    }
}

/// Claims the waiting job of an image.
pub async fn claim(store: &Store, database: &Database, image: ImageId) -> Claim {
    let sql = format!("select id from jobs where image_id = {image} and state = 'queued'");
    let job = JobId::new(database.number(&sql).await);
    store.claim(job, rand::random(), LEASE).await.unwrap().unwrap()
}

pub fn runs(failure: Option<&Failure>) -> History {
    let run = |stage, failure| StageRun { stage, run: Duration::from_millis(5), failure };
    vec![run(Stage::Metadata, None), run(Stage::Thumbnails, failure.cloned())].into()
}

pub fn made(lease: Lease, original: &FileKey, wants_caption: bool) -> Ending {
    let thumbnail = |size, bytes| MadeThumbnail {
        size,
        key: original.thumbnail(lease.job, lease.attempt, size, ThumbnailFormat::Jpeg),
        format: ThumbnailFormat::Jpeg,
        width: 100,
        height: 75,
        size_bytes: bytes + u64::from(lease.attempt.get().unsigned_abs()),
    };
    Ending::Image(Box::new(MadeImage {
        metadata: Metadata {
            width: 4000,
            height: 3000,
            format: ImageFormat::Jpeg,
            taken_at: None,
            orientation: Orientation::UPRIGHT,
            camera: None,
            description: None,
            has_gps: false,
            exif: [("Make".to_owned(), "Canon".to_owned())].into(),
            warnings: Vec::new(),
        },
        thumbnails: [thumbnail(ThumbnailSize::Small, 10), thumbnail(ThumbnailSize::Medium, 100)],
        perceptual_hash: None,
        findings: Vec::new(),
        wants_caption,
    }))
}

async fn assert_counts_match_rows(database: &Database) {
    let kept = "select name, n from tally_totals where n <> 0 and name not like 'stages.%' order by name";
    let counted = "
        select name, n::bigint from (
            select 'images', count(*) from images
            union all select 'images.' || status, count(*) from images group by status
            union all select 'failures.' || error_code, count(*) from images where error is not null group by error_code
            union all select 'queued', count(*) from jobs where state = 'queued' and kind <> 'webhook'
            union all select 'webhooks.' || state, count(*) from jobs where kind = 'webhook' group by state
            union all select 'bytes', (select coalesce(sum(size_bytes), 0) from images)
                + (select coalesce(sum(size_bytes), 0) from thumbnails)
            union all select 'microseconds',
                coalesce(sum((extract(epoch from completed_at - created_at) * 1000000)::bigint), 0)
                from images where status = 'success'
        ) as counted (name, n) where n <> 0 order by name";
    let read = |rows: Vec<tokio_postgres::Row>| -> Vec<(String, i64)> {
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    };
    let (kept, counted) = (read(database.rows(kept).await), read(database.rows(counted).await));
    assert_eq!(kept, counted);
}

#[tokio::test]
async fn counts_follow_an_image_through_its_life() {
    let database = Database::create().await;
    let store = store(&database);
    store.migrate().await.unwrap();
    let [failing, captioned, deleted] = [upload(&store).await, upload(&store).await, upload(&store).await];
    assert_counts_match_rows(&database).await;

    let failure = Failure::permanent(FailureCode::Corrupt, "it ends too early");
    let claimed = claim(&store, &database, failing).await;
    let recorded =
        store.end_job(claimed.lease, &Ending::Failed(failure.clone()), &runs(Some(&failure))).await;
    assert!(matches!(recorded.unwrap(), Finish::Recorded { .. }));
    assert_counts_match_rows(&database).await;
    assert!(matches!(store.retry_image(failing).await.unwrap(), Retried::Queued(_)));
    assert_counts_match_rows(&database).await;

    // An attempt that is repeated, then results with a caption asked for, then the caption.
    let first = claim(&store, &database, captioned).await;
    let retried = store.retry_later(first.lease, Duration::ZERO, &runs(Some(&failure))).await.unwrap();
    assert!(matches!(retried, Finish::Recorded { .. }));
    let again = claim(&store, &database, captioned).await;
    let Work::Image { original, .. } = &again.work else { panic!("an image job comes first") };
    let stale = store.end_job(first.lease, &made(first.lease, original, true), &runs(None)).await;
    assert_eq!(stale.unwrap(), Finish::LeaseLost);
    let ending = made(again.lease, original, true);
    for _ in 0..2 {
        // The second time, its answer was lost.
        let recorded = store.end_job(again.lease, &ending, &runs(None)).await.unwrap();
        assert_eq!(recorded, Finish::Recorded { superseded: Vec::new() });
    }
    assert_counts_match_rows(&database).await;
    let caption = claim(&store, &database, captioned).await;
    let ending = Ending::Caption("A dog.".to_owned());
    let recorded = store.end_job(caption.lease, &ending, &Vec::new().into()).await.unwrap();
    assert!(matches!(recorded, Finish::Recorded { .. }));
    assert_counts_match_rows(&database).await;

    while store.fold_tallies().await.unwrap() {}
    assert_eq!(database.number("select count(*) from tally_deltas").await, 0);
    for image in [deleted, captioned, failing] {
        let _ = store.delete_image(image).await.unwrap().unwrap();
        assert_counts_match_rows(&database).await;
    }
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.total, stats.queue_depth, stats.stored_bytes), (0, 0, 0));
    let thumbnails = &stats.stages["thumbnails"];
    assert_eq!((thumbnails.count, thumbnails.failed), (3, 2), "runs are history");
}

#[tokio::test]
async fn thumbnails_made_again_supersede_the_files_of_before() {
    let database = Database::create().await;
    let store = store(&database);
    store.migrate().await.unwrap();
    let image = upload(&store).await;
    let first = claim(&store, &database, image).await;
    let Work::Image { original, .. } = &first.work else { panic!("an image job comes first") };
    let ending = made(first.lease, original, false);
    assert!(matches!(
        store.end_job(first.lease, &ending, &runs(None)).await.unwrap(),
        Finish::Recorded { superseded } if superseded.is_empty()
    ));
    // Nothing in the program reopens a success yet; the row says it was reopened.
    database
        .run("update images set status = 'processing', completed_at = null; insert into jobs (image_id, kind) select id, 'image' from images")
        .await;
    let second = claim(&store, &database, image).await;
    let Finish::Recorded { superseded } =
        store.end_job(second.lease, &made(second.lease, original, false), &runs(None)).await.unwrap()
    else {
        panic!("the lease is ours")
    };
    assert_eq!(superseded.len(), 2);
    assert_eq!(database.number("select count(*) from thumbnails").await, 2);
    assert_counts_match_rows(&database).await;
}
