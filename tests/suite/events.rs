//! Events: what they say, in which order, and that none is lost or told twice.

use crate::full_tables::store;
use crate::support::database::Database;
use crate::support::fake_captioner::{FakeCaptioner, Mode};
use crate::support::ground::{Carrier, Ground, PATIENCE, Running, eventually};
use crate::support::listener::{Heard, Listener};
use crate::support::pictures;
use darkroom::app::Role;
use darkroom::store::Kept;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

pub async fn listen(app: &Running, path: &str, last: Option<i64>) -> Listener {
    Listener::open(app.client.request(Method::GET, path), last).await
}

/// What an event says, in short: its kind, its stage if it has one, its status.
fn short(event: &Heard) -> String {
    let said = ["stage", "status"].iter().filter_map(|field| event.data[field].as_str());
    [event.kind.as_str()].into_iter().chain(said).collect::<Vec<_>>().join(" ")
}

fn shorts(events: &[Heard]) -> Vec<String> {
    events.iter().map(short).collect()
}

/// An event of an image as it is told after the image was deleted.
fn without_words(event: &Heard) -> Heard {
    let mut event = event.clone();
    for field in ["original_name", "error"] {
        if let Some(word) = event.data.get_mut(field) {
            *word = Value::Null;
        }
    }
    event
}

/// Events until an image has reached a status that is final.
async fn until_final(listener: &mut Listener) -> Vec<Heard> {
    let mut events = Vec::new();
    loop {
        let event = listener.event().await;
        let is_last = event.kind == "status" && event.data["status"] != "processing";
        events.push(event);
        if is_last {
            return events;
        }
    }
}

#[tokio::test]
async fn an_image_tells_its_life_in_order() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let app = ground.start_all(&[]).await;
    let mut all = listen(&app, "/api/events", None).await;

    let id = app.client.upload("photo.jpg", &pictures::camera_jpeg(640, 480, 6)).await;
    let mut told = until_final(&mut all).await;
    let success =
        ["status processing", "stage metadata success", "stage thumbnails success", "status success"];
    assert_eq!(shorts(&told), success);
    let image = app.client.image(id).await;
    let (uploaded, ended) = (&told[0].data, &told[3].data);
    assert_eq!(
        *uploaded,
        json!({"image_id": id, "original_name": "photo.jpg", "status": "processing", "error": null,
               "error_code": null, "at": image["created_at"]})
    );
    assert_eq!((&ended["at"], &ended["error"]), (&image["completed_at"], &Value::Null));
    let (stage, shown) = (&told[2].data, crate::flow::stage(&image, "thumbnails"));
    assert_eq!((&stage["queue_ms"], &stage["run_ms"]), (&shown["queue_ms"], &shown["run_ms"]));
    assert_eq!(
        (&stage["attempt"], &stage["error"], &stage["image_id"]),
        (&1.into(), &Value::Null, &id.into())
    );

    let whole = pictures::jpeg(800, 600);
    let broken = app.client.upload("half.jpg", &whole[..whole.len() / 2]).await;
    let failure = ["status processing", "stage metadata success", "stage thumbnails failed", "status failed"];
    let failed = until_final(&mut all).await;
    assert_eq!(shorts(&failed), failure);
    let image = app.client.image(broken).await;
    for field in ["error", "error_code"] {
        assert!(image[field].is_string());
        assert_eq!(failed[3].data[field], image[field], "{field}");
    }
    assert_eq!(failed[2].data["error"], image["error"]);
    assert_eq!(app.client.retry(broken).await.status, 202);
    let retried = until_final(&mut all).await;
    assert_eq!(shorts(&retried), failure);
    assert_eq!(app.client.delete(broken).await, 204);
    let deleted = all.event().await;
    assert_eq!((deleted.kind.as_str(), &deleted.data["image_id"]), ("deleted", &broken.into()));
    assert!(deleted.data["at"].is_string());
    let of_broken: Vec<_> = failed.into_iter().chain(retried).chain([deleted]).collect();

    // Who comes later is told the same of one image, also after it is gone, but for the words of its owner.
    let mut one = listen(&app, &format!("/api/images/{broken}/events"), None).await;
    assert_eq!(one.events(of_broken.len()).await, Vec::from_iter(of_broken.iter().map(without_words)));
    assert_eq!(
        ground.database.number("select count(*) from events where original_name is not null").await,
        2
    );
    told.extend(of_broken);
    assert_eq!(told.iter().map(|event| event.id).collect::<Vec<_>>(), (1..=13).collect::<Vec<_>>());
    app.stop().await;
    assert_eq!(ground.database.number("select count(*) from event_outbox").await, 0);
    assert_eq!(ground.database.number("select count(*) from events").await, 13);
}

#[tokio::test]
async fn a_caption_that_will_be_tried_again_waits() {
    let ground = Ground::new(Carrier::InProcess).await;
    let captioner = FakeCaptioner::start(Mode::Refuse(500, "out of order")).await;
    let own = [
        ("DARKROOM_CAPTIONER__PROVIDER", "openai_chat"),
        ("DARKROOM_CAPTIONER__URL", &captioner.url()),
        ("DARKROOM_WORKER__MAX_ATTEMPTS", "3"),
    ];
    let app = ground.start_all(&own).await;
    let mut all = listen(&app, "/api/events", None).await;
    app.client.upload("p.jpg", &pictures::jpeg(300, 200)).await;
    let told = until_final(&mut all).await;
    let caption =
        ["stage caption waiting", "stage caption waiting", "stage caption failed", "status success"];
    assert_eq!(shorts(&told[3..]), caption);
    let attempts = told[3..6].iter().map(|event| event.data["attempt"].as_i64());
    assert_eq!(attempts.collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
    assert!(told[3].data["error"].is_string());
    app.stop().await;
}

/// Writers commit in another order than the one in which they wrote; clients come back in the midst of it, to another
/// replica each time.
#[tokio::test]
async fn what_is_committed_late_is_neither_lost_nor_told_twice() {
    const WRITERS: usize = 60;
    let ground = Ground::new(Carrier::RabbitMq).await;
    let replicas = [ground.start(Role::Server, &[]).await, ground.start(Role::Server, &[]).await];
    let writing = futures_util::future::join_all((0..WRITERS).map(|_| write_slowly(&ground.database)));
    let reading = async {
        let (mut heard, mut last) = (Vec::new(), Some(0));
        for turn in 0.. {
            let mut listener = listen(&replicas[turn % 2], "/api/events", last).await;
            // Up to three events, then the connection is dropped.
            heard.extend(listener.events((WRITERS - heard.len()).min(3)).await);
            last = heard.last().map(|event: &Heard| event.id);
            if heard.len() == WRITERS {
                break;
            }
        }
        heard
    };
    let (written, heard) = tokio::join!(writing, tokio::time::timeout(PATIENCE * 2, reading));
    let heard = heard.expect("all events come in time");
    assert_eq!(heard.iter().map(|event| event.id).collect::<Vec<_>>(), (1..=60).collect::<Vec<_>>());
    let place = |event: &Heard| written.iter().find(|(image, _)| event.data["image_id"] == *image).unwrap().1;
    let mut places: Vec<i64> = heard.iter().map(place).collect();
    assert!(!places.is_sorted(), "they were committed in the order in which they were written");
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), WRITERS, "each is told once");
    for replica in replicas {
        replica.stop().await;
    }
}

/// An upload whose transaction stays open for a while after its event was written: its image, and its place in the outbox.
async fn write_slowly(database: &Database) -> (i64, i64) {
    let pause = || tokio::time::sleep(Duration::from_millis(rand::random_range(0..1500)));
    pause().await;
    let image = "insert into images (original_name, format, sha256, size_bytes, original_key)
                 values ('a.jpg', 'jpg', sha256(''), 1, gen_random_uuid()::text)";
    let held = database.hold(&format!("{image}; set constraints all immediate")).await;
    let row = held.query_one("select lastval(), (select max(id) from images)", &[]).await.unwrap();
    let (place, image) = (row.get(0), row.get(1));
    pause().await;
    held.batch_execute("commit").await.unwrap();
    (image, place)
}

#[tokio::test]
async fn who_cannot_go_on_from_where_it_was_is_told_to_look_again() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let app = ground.start(Role::Server, &[]).await;
    for number in 0..6 {
        app.client.upload("r.jpg", &pictures::unlike(pictures::jpeg(40, 30), number)).await;
    }
    eventually("six events are numbered", || async {
        (ground.database.number("select newest from event_log").await == 6).then_some(())
    })
    .await;
    let mut ahead = listen(&app, "/api/events", Some(6)).await;
    ground.database.run("update events set numbered_at = now() - interval '25 hours' where id <= 4").await;
    eventually("the oldest events are forgotten", || async {
        (ground.database.number("select min(id) from events").await == 5).then_some(())
    })
    .await;
    assert_eq!(ground.database.number("select forgotten from event_log").await, 4);

    // What is kept is enough: after the fourth. Before that it is not; and what never was cannot have been seen.
    assert_eq!(listen(&app, "/api/events", Some(4)).await.event().await.id, 5);
    for last in [0, 3, 7, i64::MAX] {
        let mut lost = listen(&app, "/api/events", Some(last)).await;
        let reset = lost.event().await;
        assert_eq!((reset.id, reset.kind.as_str(), &reset.data), (6, "reset", &json!({"oldest": 5})));
        app.client.upload("r.jpg", &pictures::unlike(pictures::jpeg(40, 30), rand::random())).await;
        let next = lost.event().await;
        assert_eq!(short(&next), "status processing", "and goes on from there");
        assert_eq!(ahead.event().await, next);
        ground.database.run("delete from events where id > 6; update event_log set newest = 6").await;
        // As by a copy from before: also those that listen find out.
        assert_eq!(ahead.event().await.kind, "reset");
    }
    // All is forgotten, and nothing was missed.
    ground.database.run("delete from events; update event_log set forgotten = newest").await;
    let mut quiet = listen(&app, "/api/events", Some(6)).await;
    app.client.upload("r.jpg", &pictures::unlike(pictures::jpeg(40, 30), 99)).await;
    assert_eq!((quiet.event().await.id, ahead.event().await.id), (7, 7));
    app.stop().await;
}

/// Uploads so many pictures and waits until their events are numbered: `last` is the newest.
async fn upload_until(ground: &Ground, app: &Running, count: u64, last: i64) {
    for _ in 0..count {
        app.client.upload("r.jpg", &pictures::unlike(pictures::jpeg(40, 30), rand::random())).await;
    }
    eventually("the events are numbered", || async {
        (ground.database.number("select newest from event_log").await == last).then_some(())
    })
    .await;
}

/// The statement of the README for after a restore.
fn after_a_restore() -> &'static str {
    let (_, statement) =
        include_str!("../../README.md").split_once("with gone as (delete from events)").unwrap();
    statement.split_once("```").unwrap().0
}

#[tokio::test]
async fn a_database_that_was_set_back_and_has_caught_up_is_noticed() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let app = ground.start(Role::Server, &[]).await;
    upload_until(&ground, &app, 3, 3).await;
    let mut live = listen(&app, "/api/events", Some(0)).await;
    let mut one = listen(&app, "/api/images/2/events", None).await;
    assert_eq!((live.events(3).await[2].id, one.event().await.id), (3, 2));
    // The third event never was; others have got its number, and more, before anybody looks.
    let other = "delete from events where id > 2;
        insert into events (id, image_id, kind, is_upload, at) select n, 1, 'deleted', false, now() from generate_series(3, 5) n;
        update event_log set newest = 5; notify darkroom_events";
    ground.database.run(other).await;
    for listener in [&mut live, &mut one] {
        let reset = listener.event().await;
        assert_eq!((reset.id, reset.kind.as_str(), &reset.data), (5, "reset", &json!({"oldest": 1})));
    }
    upload_until(&ground, &app, 1, 6).await;
    assert_eq!(live.event().await.id, 6, "and it goes on from there");

    // Who comes back with a number of the lost history cannot be told from others, unless numbers leap.
    ground.database.run(&format!("with gone as (delete from events){}", after_a_restore())).await;
    let oldest = json!({"oldest": 1_000_007});
    let reset = live.event().await;
    assert_eq!((reset.id, reset.kind.as_str(), &reset.data), (1_000_006, "reset", &oldest));
    let mut back = listen(&app, "/api/events", Some(9)).await;
    assert_eq!(back.event().await, reset);
    upload_until(&ground, &app, 1, 1_000_007).await;
    assert_eq!((back.event().await.id, live.event().await.id), (1_000_007, 1_000_007));
    app.stop().await;
}

#[tokio::test]
async fn a_stream_of_an_image_whose_beginning_is_forgotten_says_so() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let app = ground.start(Role::Server, &[]).await;
    upload_until(&ground, &app, 3, 3).await;
    ground.database.run("delete from events where id < 3; update event_log set forgotten = 2").await;
    let mut forgotten = listen(&app, "/api/images/1/events", None).await;
    let reset = forgotten.event().await;
    assert_eq!((reset.id, reset.kind.as_str(), &reset.data), (3, "reset", &json!({"oldest": 3})));
    assert_eq!(app.client.delete(1).await, 204);
    let deleted = forgotten.event().await;
    assert_eq!((deleted.id, deleted.kind.as_str()), (4, "deleted"));
    let mut whole = listen(&app, "/api/images/3/events", None).await;
    assert_eq!((whole.event().await.id, whole.unread()), (3, 0));
    // Of the one that is deleted, the end is kept.
    assert_eq!(listen(&app, "/api/images/1/events", None).await.event().await.kind, "reset");
    app.stop().await;
}

#[tokio::test]
async fn what_waits_to_be_numbered_is_not_forgotten() {
    let database = Database::create().await;
    let store = store(&database);
    store.migrate().await.unwrap();
    let image = crate::tallies::upload(&store).await;
    assert_eq!(store.events_kept(image).await.unwrap(), Some(Kept::Whole));
    // Another process is numbering: it is left to that one.
    let held = database.hold("select pg_advisory_xact_lock(hashtext('number_events'))").await;
    assert!(!store.number_events().await.unwrap());
    assert_eq!(database.number("select count(*) from event_outbox").await, 1);
    held.batch_execute("rollback").await.unwrap();
    assert!(!store.number_events().await.unwrap());
    assert_eq!(database.number("select count(*) from event_outbox").await, 0);
    assert_eq!(store.events_kept(image).await.unwrap(), Some(Kept::Whole));
    database.run("update events set is_upload = false").await;
    assert_eq!(store.events_kept(image).await.unwrap(), Some(Kept::Rest));
    assert_eq!(store.events_kept(darkroom::domain::ImageId::new(77)).await.unwrap(), None);
}

#[tokio::test]
async fn what_a_later_version_tells_is_passed_over() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let app = ground.start(Role::Server, &[]).await;
    let mut live = listen(&app, "/api/events", None).await;
    let later = "alter table events drop constraint events_check; alter table event_outbox drop constraint event_outbox_kind_check;
        insert into event_outbox (image_id, kind, stage) values (1, 'moved', null), (1, 'stage', 'smell'), (1, 'stage', 'caption');
        insert into event_outbox (image_id, kind) values (1, 'deleted'); notify darkroom_images, '1'";
    ground.database.run(later).await;
    let heard = live.event().await;
    assert_eq!((heard.id, heard.kind.as_str()), (4, "deleted"));
    assert_eq!(listen(&app, "/api/events", Some(0)).await.event().await, heard);
    app.stop().await;
}

#[tokio::test]
async fn events_are_numbered_read_and_forgotten_a_part_at_a_time() {
    let database = Database::create().await;
    let store = store(&database);
    store.migrate().await.unwrap();
    let many =
        "insert into event_outbox (image_id, kind) select n % 7, 'deleted' from generate_series(1, 2500) n";
    database.run(many).await;
    let mut parts = 1;
    while store.number_events().await.unwrap() {
        parts += 1;
    }
    assert_eq!(parts, 3);
    let rows = "select count(*) from events where id between 1 and 2500";
    assert_eq!(database.number(rows).await, 2500);
    let image = darkroom::domain::ImageId::new(3);
    let last = darkroom::domain::EventId::new(1000);
    let page = store.events_after(last, Some(image), 10).await.unwrap();
    assert!(page.has_more && page.events.iter().all(|event| event.image == image));
    assert_eq!((page.events[0].id.get(), page.newest.id.get(), page.forgotten.get()), (1004, 2500, 0));
    assert!(!store.forget_events(Duration::from_secs(3600)).await.unwrap());
    database.run("update events set numbered_at = numbered_at - interval '2 hours' where id <= 1200").await;
    assert!(store.forget_events(Duration::from_secs(3600)).await.unwrap());
    assert!(!store.forget_events(Duration::from_secs(3600)).await.unwrap());
    assert_eq!(database.number("select min(id) from events").await, 1201);
    assert_eq!(database.number("select forgotten from event_log").await, 1200);
}
