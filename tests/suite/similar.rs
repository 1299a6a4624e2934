//! Images that look alike.

use crate::support::client::Client;
use crate::support::ground::{Carrier, Ground};
use crate::support::pictures;
use darkroom::app::FilledIn;
use darkroom::settings::Settings;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

async fn settled(client: &Client, name: &str, file: &[u8]) -> i64 {
    let id = client.upload(name, file).await;
    let image = client.settled(id).await;
    assert_eq!(image["status"], "success", "{image}");
    id
}

/// Ids and distances of what looks like an image, two on each page.
async fn similar(client: &Client, id: i64, query: &str) -> Vec<(i64, u64)> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let list = client.get(&format!("/api/images/{id}/similar?limit=2{query}{cursor}")).await;
        assert_eq!(list.status, 200, "{list:?}");
        for similar in list.data()["images"].as_array().unwrap() {
            let id = similar["image"]["image_id"].as_i64().unwrap();
            found.push((id, similar["distance"].as_u64().unwrap()));
        }
        match list.data()["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

#[tokio::test]
async fn copies_are_found_the_nearest_first_and_other_pictures_are_not() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let client = &app.client;
    let view = pictures::view(1, 240, 160);
    let original = settled(client, "view.png", &pictures::png_of(&view)).await;
    let same = settled(client, "same.png", &pictures::unlike(pictures::png_of(&view), 1)).await;
    let encoded = settled(client, "encoded.jpg", &pictures::jpeg_of(&view)).await;
    let smaller = settled(client, "smaller.jpg", &pictures::jpeg_of(&pictures::view(1, 90, 60))).await;
    for number in 2..6 {
        settled(client, "other.jpg", &pictures::jpeg_of(&pictures::view(number, 240, 160))).await;
    }
    let found = similar(client, original, "").await;
    assert_eq!(found.first(), Some(&(same, 0)));
    let mut ids: Vec<_> = found.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [same, encoded, smaller], "{found:?}");
    assert!(found.is_sorted_by_key(|(id, distance)| (*distance, *id)), "{found:?}");
    assert!(similar(client, original, "&distance=0").await.contains(&(same, 0)));
    // The search goes both ways.
    assert!(similar(client, smaller, "").await.iter().any(|(id, _)| *id == original));

    let hash = client.image(original).await["metadata"]["perceptual_hash"].clone();
    let hash = hash.as_str().unwrap();
    assert!(hash.len() == 16 && u64::from_str_radix(hash, 16).is_ok(), "{hash}");
    assert_eq!(client.image(same).await["metadata"]["perceptual_hash"], hash);
    assert_eq!(client.delete(same).await, 204);
    assert!(!similar(client, original, "").await.iter().any(|(id, _)| *id == same));
    app.stop().await;
}

#[tokio::test]
async fn an_image_without_a_hash_says_why_it_cannot_be_compared() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let client = &app.client;
    let even = settled(client, "even.png", &pictures::transparent_png(8, 8)).await;
    let grey = settled(
        client,
        "grey.png",
        &pictures::png_of(&image::RgbImage::from_pixel(9, 9, image::Rgb([99; 3]))),
    )
    .await;
    let details = client.image(grey).await;
    assert_eq!(details["metadata"]["perceptual_hash"], Value::Null);
    assert!(details["metadata"]["warnings"][0].as_str().unwrap().contains("too even"), "{details}");
    let whole = pictures::jpeg(800, 600);
    let failed = client.upload("half.jpg", &whole[..whole.len() / 2]).await;
    client.settled(failed).await;
    let waiting = "insert into images (original_name, format, sha256, size_bytes, original_key)
                   values ('waits.jpg', 'jpg', sha256('waits'), 1, 'nowhere') returning id";
    let waiting: i64 = ground.database.rows(waiting).await[0].get(0);
    let asked = |id: i64| async move { client.get(&format!("/api/images/{id}/similar")).await };
    assert_eq!(asked(even).await.status, 200, "half of it shines through");
    assert_eq!(asked(grey).await.refusal(), (409, "conflict"));
    assert_eq!(asked(failed).await.refusal(), (409, "conflict"));
    let refused = asked(waiting).await;
    assert_eq!(refused.refusal(), (404, "not_ready"));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(asked(999_999).await.refusal(), (404, "not_found"));
    for query in ["distance=16", "distance=-1", "limit=0", "cursor=b1", "cursor=d1-%00"] {
        let refused = client.get(&format!("/api/images/{even}/similar?{query}")).await;
        assert_eq!(refused.refusal(), (400, "malformed_request"), "{query}");
    }
    ground.database.run("delete from images where original_key = 'nowhere'").await;
    app.stop().await;
}

#[tokio::test]
async fn what_an_earlier_version_processed_is_filled_in_once() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let client = &app.client;
    let fields = [(0x010f, &b"Canon"[..]), (0x0110, b"Canon EOS 80D")];
    let file =
        pictures::with_exif(&pictures::jpeg_of(&pictures::view(1, 240, 160)), &pictures::exif_texts(&fields));
    let old = settled(client, "old.jpg", &file).await;
    let hash = |image: Value| {
        u64::from_str_radix(image["metadata"]["perceptual_hash"].as_str().unwrap(), 16).unwrap()
    };
    let made = hash(client.image(old).await);
    let new = settled(client, "new.jpg", &pictures::jpeg_of(&pictures::view(2, 240, 160))).await;
    ground
        .database
        .run(&format!(
            "delete from perceptual_hashes where image_id = {old}; update images set camera = null;
             update perceptual_hashes set hash = 7 where image_id = {new}"
        ))
        .await;
    assert_eq!(client.get(&format!("/api/images/{old}/similar")).await.refusal(), (409, "conflict"));
    let settings = Settings::load(None, ground.environment(&[])).unwrap();
    let stop = CancellationToken::new();
    let filled_in = darkroom::app::fill_in(&settings, &stop).await.unwrap();
    assert_eq!(filled_in, FilledIn { cameras: 1, hashes: 1, unreadable: 0 });
    let image = client.image(old).await;
    assert_eq!(image["metadata"]["camera"], "Canon EOS 80D");
    // The thumbnail was encoded once more.
    let distance = (hash(image) ^ made).count_ones();
    assert!(distance <= 4, "{distance}");
    assert_eq!(hash(client.image(new).await), 7, "what is there stays");
    assert_eq!(darkroom::app::fill_in(&settings, &stop).await.unwrap(), FilledIn::default());
    app.stop().await;
}
