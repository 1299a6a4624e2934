//! Finding images: filters, orders, and pages that neither repeat nor leave out.

use crate::support::client::Client;
use crate::support::ground::{Carrier, Ground};
use crate::support::pictures;
use serde_json::Value;

/// The names on all pages of a list, two on each.
async fn names(client: &Client, query: &str) -> Vec<String> {
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let list = client.get(&format!("/api/images?limit=2&{query}{cursor}")).await;
        assert_eq!(list.status, 200, "{query}: {list:?}");
        let images = list.data()["images"].as_array().unwrap();
        names.extend(images.iter().map(|image| image["original_name"].as_str().unwrap().to_owned()));
        match list.data()["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return names,
        }
    }
}

/// Five images: two that fail, one without Exif, and two of cameras.
async fn uploaded(client: &Client) {
    let camera = |model: &[u8], taken: &[u8]| {
        let fields = [(0x010f, &b"Canon"[..]), (0x0110, model), (0x0132, taken)];
        pictures::with_exif(&pictures::jpeg(60, 40), &pictures::exif_texts(&fields))
    };
    let broken = pictures::jpeg(800, 600);
    let files = [
        ("Bravo.jpg", camera(b"Canon EOS 80D", b"2026:05:04 12:13:14")),
        ("alpha.png", pictures::png(90, 40)),
        ("delta.jpg", broken[..broken.len() / 2].to_vec()),
        ("charlie.jpg", camera(b"PowerShot G7", b"2025:01:01 00:00:00")),
        ("Echo.jpg", pictures::unlike(broken[..broken.len() / 2].to_vec(), 1)),
    ];
    for (name, file) in files {
        let id = client.upload(name, &file).await;
        client.settled(id).await;
    }
}

#[tokio::test]
async fn every_order_is_complete_and_puts_last_what_it_cannot_sort() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let client = &app.client;
    uploaded(client).await;
    for (sort, due) in [
        ("newest", ["Echo.jpg", "charlie.jpg", "delta.jpg", "alpha.png", "Bravo.jpg"]),
        ("oldest", ["Bravo.jpg", "alpha.png", "delta.jpg", "charlie.jpg", "Echo.jpg"]),
        ("taken_newest", ["Bravo.jpg", "charlie.jpg", "Echo.jpg", "delta.jpg", "alpha.png"]),
        ("taken_oldest", ["charlie.jpg", "Bravo.jpg", "alpha.png", "delta.jpg", "Echo.jpg"]),
        ("largest", ["alpha.png", "charlie.jpg", "Bravo.jpg", "Echo.jpg", "delta.jpg"]),
        ("smallest", ["Bravo.jpg", "charlie.jpg", "alpha.png", "delta.jpg", "Echo.jpg"]),
        ("name", ["alpha.png", "Bravo.jpg", "charlie.jpg", "delta.jpg", "Echo.jpg"]),
    ] {
        assert_eq!(names(client, &format!("sort={sort}")).await, due, "{sort}");
    }
    assert_eq!(names(client, "").await.len(), 5);
    app.stop().await;
}

#[tokio::test]
async fn filters_are_combined_freely() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let client = &app.client;
    uploaded(client).await;
    for (query, due) in [
        ("camera=eos", vec!["Bravo.jpg"]),
        ("camera=CANON", vec!["charlie.jpg", "Bravo.jpg"]),
        ("camera=CANON&sort=oldest&status=success", vec!["Bravo.jpg", "charlie.jpg"]),
        ("camera=%25", vec![]),
        ("taken_from=2026-05-04", vec!["Bravo.jpg"]),
        ("taken_to=2026-05-04", vec!["charlie.jpg", "Bravo.jpg"]),
        ("taken_to=2026-05-04T12:13:13", vec!["charlie.jpg"]),
        ("taken_from=2025-01-01T00:00:00&taken_to=2025-01-01", vec!["charlie.jpg"]),
        ("has_gps=true", vec![]),
        ("has_gps=false", vec!["charlie.jpg", "alpha.png", "Bravo.jpg"]),
        ("format=png", vec!["alpha.png"]),
        ("format=jpg&status=failed&sort=name", vec!["delta.jpg", "Echo.jpg"]),
        ("min_pixels=3600", vec!["alpha.png"]),
        ("max_pixels=3599", vec!["charlie.jpg", "Bravo.jpg"]),
        ("min_pixels=2400&max_pixels=2400&q=CHARL", vec!["charlie.jpg"]),
        ("min_bytes=1&max_bytes=9223372036854775807&sort=name&camera=power", vec!["charlie.jpg"]),
        ("max_bytes=0", vec![]),
    ] {
        assert_eq!(names(client, query).await, due, "{query}");
    }
    let found = client.get("/api/images?q=bravo").await;
    let image = &found.data()["images"][0];
    assert_eq!(
        (&image["camera"], &image["taken_at"]),
        (&"Canon EOS 80D".into(), &"2026-05-04T12:13:14".into())
    );
    let details = client.image(image["image_id"].as_i64().unwrap()).await;
    assert_eq!(details["metadata"]["camera"], "Canon EOS 80D");
    let none = client.get("/api/images?q=alpha").await;
    assert_eq!(none.data()["images"][0]["camera"], Value::Null);
    app.stop().await;
}

#[tokio::test]
async fn a_cursor_of_another_order_and_impossible_filters_are_refused() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let client = &app.client;
    for name in ["a.jpg", "b.jpg"] {
        client.upload(name, &pictures::jpeg(8, 8)).await;
    }
    for sort in ["newest", "oldest", "taken_newest", "largest", "name"] {
        let list = client.get(&format!("/api/images?limit=1&sort={sort}")).await;
        let cursor = list.data()["next_cursor"].as_str().unwrap().to_owned();
        for other in ["newest", "oldest", "taken_newest", "taken_oldest", "largest", "smallest", "name"] {
            let list = client.get(&format!("/api/images?limit=1&sort={other}&cursor={cursor}")).await;
            let due = if other == sort { (200, "none") } else { (400, "malformed_request") };
            assert_eq!(list.refusal(), due, "{sort} as {other}");
        }
    }
    let long = format!("sort=name&cursor=n1-{}", "61".repeat(1500));
    for query in [
        "sort=colour",
        "cursor=b1%27",
        "sort=taken_newest&cursor=t1-ffffffffffffffff",
        "sort=name&cursor=n1-00",
        &long,
        "taken_from=yesterday",
        "taken_from=2026-02-30",
        "taken_from=2026-05-05&taken_to=2026-05-04",
        "min_pixels=-1",
        "min_pixels=99999999999999999999",
        "min_bytes=2&max_bytes=1",
        "has_gps=maybe",
        "format=gif",
    ] {
        let list = client.get(&format!("/api/images?{query}")).await;
        assert_eq!(list.refusal(), (400, "malformed_request"), "{query}");
    }
    app.stop().await;
}

#[tokio::test]
async fn pages_neither_repeat_nor_leave_out_while_images_come_and_go() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let client = &app.client;
    let file = |number| pictures::unlike(pictures::jpeg(8, 8), number);
    let mut ids = Vec::new();
    for number in 0..8 {
        ids.push(client.upload(&format!("{number}.jpg"), &file(number)).await);
    }
    for id in &ids {
        client.settled(*id).await;
    }
    for sort in ["newest", "oldest", "largest", "taken_oldest", "name"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        for round in 0.. {
            let list = client.get(&format!("/api/images?limit=3&sort={sort}{cursor}")).await;
            let images = list.data()["images"].as_array().unwrap().clone();
            seen.extend(images.iter().map(|image| image["image_id"].as_i64().unwrap()));
            // One comes, and one that was seen last goes.
            let extra = client.upload("2 more.jpg", &file(1000 + round)).await;
            let Some(next) = list.data()["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
            if !ids.contains(seen.last().unwrap()) {
                assert_eq!(client.delete(seen.pop().unwrap()).await, 204);
            }
            client.settled(extra).await;
        }
        for id in &ids {
            assert_eq!(seen.iter().filter(|seen| *seen == id).count(), 1, "{sort}: {seen:?}");
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn what_is_odd_about_a_file_is_in_its_details_and_can_be_asked_for() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let client = &app.client;
    let software = pictures::exif_texts(&[(0x0131, b"Adobe Photoshop 25.0")]);
    let edited = pictures::with_exif(&pictures::jpeg(60, 40), &software);
    let zip = [&pictures::png(60, 40)[..], b"PK\x03\x04 and more"].concat();
    let mut ids = Vec::new();
    for (name, file) in [("plain.jpg", pictures::jpeg(60, 40)), ("edited.jpg", edited), ("zip.jpg", zip)] {
        let id = client.upload(name, &file).await;
        let image = client.settled(id).await;
        assert_eq!(image["status"], "success", "{image}");
        ids.push(id);
    }
    let codes = |image: &Value| {
        let found = image["findings"].as_array().unwrap().clone();
        found.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(codes(&client.image(ids[0]).await), Vec::<String>::new());
    let edited = client.image(ids[1]).await;
    assert_eq!(codes(&edited), ["edited_with"]);
    let finding = &edited["findings"][0];
    assert_eq!(finding["evidence"]["value"], "Adobe Photoshop 25.0");
    assert!(finding["text"].as_str().unwrap().contains("Adobe Photoshop 25.0"), "{finding}");
    let zip = client.image(ids[2]).await;
    assert_eq!(codes(&zip), ["data_after_end", "name_contradicts_content"]);
    assert_eq!(zip["findings"][0]["evidence"]["begins_as"], "zip");

    assert_eq!(names(client, "finding=edited_with").await, ["edited.jpg"]);
    assert_eq!(names(client, "finding=data_after_end&sort=name").await, ["zip.jpg"]);
    assert_eq!(names(client, "finding=name_contradicts_content&format=jpg").await, Vec::<String>::new());
    assert_eq!(names(client, "finding=dates_disagree").await, Vec::<String>::new());
    assert_eq!(client.get("/api/images?finding=guilt").await.refusal(), (400, "malformed_request"));
    assert_eq!(client.delete(ids[2]).await, 204);
    assert_eq!(ground.database.number("select count(*) from findings").await, 1);
    app.stop().await;
}
