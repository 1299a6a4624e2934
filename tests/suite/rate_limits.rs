//! How often a key may be used.

use crate::keys::{KEYS, call, new_key};
use crate::support::client::{Answer, Client, answer};
use crate::support::ground::{Carrier, Ground, eventually};
use crate::support::pictures;
use reqwest::Method;
use std::time::Instant;

fn headers(answer: &Answer) -> (Option<&str>, Option<&str>) {
    (answer.header("ratelimit-policy"), answer.header("ratelimit"))
}

#[tokio::test]
async fn a_key_that_asks_too_often_is_told_when_to_come_again_and_is_let_in_then() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[KEYS]).await;
    let client = &app.client;
    let key = new_key(&ground, &["hasty", "--scope", "read", "--requests-per-minute", "60"]).await;
    let other = new_key(&ground, &["other", "--scope", "admin"]).await;
    let begun = Instant::now();
    let first = call(client, &key, Method::GET, "/api/stats").await;
    assert_eq!((first.status, headers(&first)), (200, (Some("\"key\";q=60;w=60"), Some("\"key\";r=59"))));
    // What is refused for another reason counts, too.
    let forbidden = call(client, &key, Method::DELETE, "/api/images/1").await;
    assert_eq!((forbidden.status, forbidden.header("ratelimit-policy")), (403, Some("\"key\";q=60;w=60")));

    let missing = call(client, &key, Method::GET, "/api/images/1").await;
    assert_eq!((missing.status, missing.header("ratelimit-policy")), (404, Some("\"key\";q=60;w=60")));

    let (refused, admitted) = until_refused(client, &key).await;
    let admitted = admitted + 3;
    let refilled = begun.elapsed().as_secs() + 1;
    assert!((60..=60 + refilled).contains(&admitted), "{admitted} in {:?}", begun.elapsed());
    assert_eq!(refused.refusal(), (429, "rate_limited"));
    assert_eq!(headers(&refused), (Some("\"key\";q=60;w=60"), Some("\"key\";r=0")));
    assert_eq!(refused.header("retry-after"), Some("1"));

    // An upload is heard out before it is refused; nobody else is refused; and a second later there is one more.
    let upload = client.upload_request("r.jpg", &pictures::padded(3_000_000)).bearer_auth(&key);
    let (uploaded, served) = tokio::join!(answer(upload), call(client, &other, Method::GET, "/api/stats"));
    assert!([403, 429].contains(&uploaded.status), "{uploaded:?}");
    assert_eq!((served.status, served.header("ratelimit-policy")), (200, Some("\"key\";q=6000;w=60")));
    eventually("there is room again", || async {
        (call(client, &key, Method::GET, "/api/stats").await.status == 200).then_some(())
    })
    .await;
    app.stop().await;
}

async fn until_refused(client: &Client, key: &str) -> (Answer, u64) {
    let mut admitted = 0;
    loop {
        let answered = call(client, key, Method::GET, "/api/nothing").await;
        if answered.status == 429 {
            return (answered, admitted);
        }
        admitted += 1;
        assert!(admitted < 10_000, "there is no limit");
    }
}

#[tokio::test]
async fn keys_without_a_number_of_their_own_have_that_of_the_settings() {
    let ground = Ground::new(Carrier::InProcess).await;
    let free = new_key(&ground, &["free", "--scope", "read", "--requests-per-minute", "0"]).await;
    let usual = new_key(&ground, &["usual", "--scope", "read"]).await;
    let app = ground.start_all(&[KEYS, ("DARKROOM_LIMITS__REQUESTS_PER_MINUTE", "1")]).await;
    let statuses = async |key: &str| {
        let first = call(&app.client, key, Method::GET, "/api/stats").await;
        let second = call(&app.client, key, Method::GET, "/api/stats").await;
        (first.status, second.status, second.header("retry-after").is_some())
    };
    assert_eq!(statuses(&free).await, (200, 200, false));
    assert_eq!(statuses(&usual).await, (200, 429, true));
    app.stop().await;

    let app = ground.start_all(&[KEYS, ("DARKROOM_LIMITS__REQUESTS_PER_MINUTE", "0")]).await;
    let unlimited = call(&app.client, &usual, Method::GET, "/api/stats").await;
    assert_eq!((unlimited.status, headers(&unlimited)), (200, (None, None)));
    app.stop().await;
}
