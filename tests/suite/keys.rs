//! API keys, as callers meet them: who is let in, what for, and how often.

use crate::support::client::{Answer, Client, answer};
use crate::support::ground::{Carrier, Ground, eventually};
use crate::support::pictures;
use crate::support::process::{Process, output};
use crate::support::proxy::Proxy;
use crate::support::raw::{ask, request};
use futures_util::future::join_all;
use reqwest::Method;
use sha2::Digest;
use std::time::{Duration, Instant};

pub const KEYS: (&str, &str) = ("DARKROOM_AUTH__MODE", "keys");

/// A key made by the real program, with the arguments of `--new-key`.
pub async fn new_key(ground: &Ground, arguments: &[&str]) -> String {
    let arguments = [&["--new-key"], arguments].concat();
    let (success, printed, said) = output(ground, &arguments, &[]).await;
    assert!(success, "{arguments:?}: {said}");
    printed.trim_end().to_owned()
}

/// Sends a request without a body with a key.
pub async fn call(client: &Client, key: &str, method: Method, path: &str) -> Answer {
    answer(client.request(method, path).header("X-API-Key", key)).await
}

/// What has the form of a key and is none.
fn wrong(number: u64) -> String {
    format!("dk_{number:042}0")
}

fn digest(bytes: impl AsRef<[u8]>) -> String {
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn each_scope_permits_what_it_says_and_nothing_else() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[KEYS]).await;
    let client = &app.client;
    let reads = new_key(&ground, &["reads", "--scope", "read"]).await;
    let writes = new_key(&ground, &["writes", "--scope", "write"]).await;
    let both = new_key(&ground, &["both", "--scope", "read", "--scope", "write"]).await;
    let admin = new_key(&ground, &["admin", "--scope", "admin"]).await;
    let sent = answer(client.upload_request("k.jpg", &pictures::jpeg(64, 64)).bearer_auth(&writes)).await;
    assert_eq!(sent.status, 202, "{sent:?}");

    // What a scope lets through is answered with what the operation itself says.
    let operations = [
        (Method::GET, "/api/images", "read", 200),
        (Method::GET, "/api/images/1", "read", 200),
        (Method::GET, "/api/images/9/thumbnails/small", "read", 404),
        (Method::GET, "/api/images/9/original", "read", 404),
        (Method::GET, "/api/stats", "read", 200),
        (Method::POST, "/api/images", "write", 400),
        (Method::POST, "/api/images/9/retry", "write", 404),
        (Method::DELETE, "/api/images/9", "write", 404),
        (Method::PUT, "/api/images", "admin", 405),
        (Method::GET, "/api/nothing", "admin", 404),
    ];
    for (method, path, needed, status) in operations {
        for (key, scopes) in [
            (&reads, &["read"][..]),
            (&writes, &["write"]),
            (&both, &["read", "write"]),
            (&admin, &["admin"]),
        ] {
            let answered = call(client, key, method.clone(), path).await;
            let what = format!("{method} {path} with {scopes:?}: {answered:?}");
            if scopes.contains(&needed) || scopes.contains(&"admin") {
                assert_eq!(answered.status, status, "{what}");
            } else {
                assert_eq!(answered.refusal(), (403, "forbidden"), "{what}");
                assert!(answered.body["error"].as_str().unwrap().contains(&format!("`{needed}`")), "{what}");
                let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{needed}\"");
                assert_eq!(answered.header("www-authenticate"), Some(challenge.as_str()), "{what}");
            }
        }
    }
    let head = |key| client.request(Method::HEAD, "/api/images/1/original").bearer_auth(key).send();
    assert_eq!(head(&reads).await.unwrap().status(), 200);
    assert_eq!(head(&writes).await.unwrap().status(), 403);
    // A body that is refused is heard out, so that the client reads the answer and no reset connection.
    let refused =
        answer(client.upload_request("k.jpg", &pictures::padded(3_000_000)).bearer_auth(&reads)).await;
    assert_eq!(refused.refusal(), (403, "forbidden"));
    assert_eq!(ground.database.number("select count(*) from images").await, 1);
    app.stop().await;
}

#[tokio::test]
async fn a_key_goes_in_either_header_and_all_that_are_not_in_force_are_refused_alike() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[KEYS]).await;
    let client = &app.client;
    let get = |headers: &[(&str, String)]| {
        let request = client.request(Method::GET, "/api/images");
        answer(headers.iter().fold(request, |request, (name, value)| request.header(*name, value)))
    };
    let unknown = get(&[("x-api-key", wrong(0))]).await;
    assert_eq!(unknown.refusal(), (401, "unauthorized"));
    assert_eq!(unknown.header("www-authenticate"), Some("Bearer"));

    // Right after the table was read for a wrong one.
    let key = new_key(&ground, &["ann", "--scope", "read"]).await;
    for headers in [
        &[("authorization", format!("Bearer {key}"))][..],
        &[("authorization", format!("bEaReR {key}"))],
        &[("x-api-key", key.clone())],
        &[("x-api-key", key.clone()), ("authorization", format!("Bearer {key}"))],
        &[("x-api-key", key.clone()), ("authorization", "Basic YTpi".to_owned())],
    ] {
        assert_eq!(get(headers).await.status, 200, "{headers:?}");
    }
    let contradicting = get(&[("x-api-key", key.clone()), ("authorization", format!("Bearer {}", wrong(1)))]);
    assert_eq!(contradicting.await.refusal(), (400, "malformed_request"));

    let expiring = new_key(&ground, &["brief", "--scope", "read", "--expires-days", "1"]).await;
    assert_eq!(get(&[("x-api-key", expiring.clone())]).await.status, 200);
    ground.database.run("update api_keys set expires_at = now() where name = 'brief'").await;
    let (revoked, said, _) = output(&ground, &["--revoke-key", "ann"], &[]).await;
    assert!(revoked && said.contains("ann is revoked"), "{said}");
    for gone in [&key, &expiring] {
        eventually("it is refused", || async {
            (get(&[("x-api-key", gone.clone())]).await.status == 401).then_some(())
        })
        .await;
    }
    for headers in [
        &[][..],
        &[("authorization", format!("Bearer {key}"))],
        &[("authorization", format!("Basic {key}"))],
        &[("x-api-key", key[..45].to_owned())],
        &[("x-api-key", digest(&key))],
        &[("x-api-key", "open sesame".to_owned())],
        &[("x-api-key", String::new())],
        &[("x-api-key", expiring)],
    ] {
        let refused = get(headers).await;
        assert_eq!(refused.refusal(), (401, "unauthorized"), "{headers:?}");
        assert_eq!(refused.body["error"], unknown.body["error"]);
    }
    app.stop().await;
}

#[tokio::test]
async fn without_a_key_a_server_starts_refuses_everybody_and_says_so_once() {
    let ground = Ground::new(Carrier::InProcess).await;
    let own = [KEYS, ("DARKROOM_HTTP__LISTEN", "0.0.0.0:0")];
    let process = Process::start(&ground, &["--standalone"], &own);
    let client = process.client().await;
    for path in ["/api/images", "/api/stats", "/api/nothing", "/api", "/api/", "/api/images/1?key=x"] {
        assert_eq!(client.get(path).await.refusal(), (401, "unauthorized"), "{path}");
    }
    // Nothing that is not below /api is what it is below it.
    for path in
        ["/%61pi/stats", "//api/stats", "/API/stats", "/docs/../api/stats", "/./api/stats", "/api%2Fstats"]
    {
        // As it stands: other clients tidy up paths before they send them.
        let status = ask(client.address(), request("GET", path, "")).await.status;
        assert!(status == 404 || status == 401, "{path}: {status}");
    }
    let refused = answer(client.upload_request("k.jpg", &pictures::padded(3_000_000))).await;
    assert_eq!(refused.refusal(), (401, "unauthorized"));
    for path in ["/livez", "/readyz", "/docs", "/openapi.json", "/openapi.yaml", "/"] {
        eventually(path, || async { (client.raw(path).await.status() == 200).then_some(()) }).await;
    }
    let told = |process: &Process| process.log().matches("there is none: everybody is refused").count();
    eventually("it is told", || async { (told(&process) == 1).then_some(()) }).await;
    let key = new_key(&ground, &["first", "--scope", "admin"]).await;
    assert_eq!(call(&client, &key, Method::GET, "/api/stats").await.status, 200);
    assert_eq!(told(&process), 1);
}

#[tokio::test]
async fn a_key_of_the_settings_needs_no_row_and_may_do_everything_as_often_as_it_likes() {
    let ground = Ground::new(Carrier::InProcess).await;
    let hashes = format!("{},{}", digest("open sesame"), digest("shut"));
    // Nor does the limit of all others hold for it.
    let own = [("DARKROOM_AUTH__KEY_HASHES", hashes.as_str()), ("DARKROOM_LIMITS__REQUESTS_PER_MINUTE", "1")];
    let app = ground.start_all(&[&[KEYS], &own[..]].concat()).await;
    for key in ["open sesame", "shut"] {
        assert_eq!(call(&app.client, key, Method::GET, "/api/stats").await.status, 200);
        assert_eq!(call(&app.client, key, Method::DELETE, "/api/images/1").await.status, 404);
    }
    app.stop().await;
}

#[tokio::test]
async fn a_flood_of_wrong_keys_costs_few_looks_at_the_table_and_hinders_nobody() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[KEYS]).await;
    let client = &app.client;
    let key = new_key(&ground, &["ann", "--scope", "read"]).await;
    assert_eq!(call(client, &key, Method::GET, "/api/stats").await.status, 200);
    let scans = "select seq_scan + coalesce(idx_scan, 0) from pg_stat_user_tables where relname = 'api_keys'";
    let begun = Instant::now();
    for round in 0..10 {
        let flood = (0..100)
            .map(|n| async move { call(client, &wrong(round * 100 + n), Method::GET, "/api/stats").await });
        let (refused, served) = tokio::join!(join_all(flood), call(client, &key, Method::GET, "/api/stats"));
        assert!(refused.iter().all(|refused| refused.refusal() == (401, "unauthorized")), "{refused:?}");
        assert_eq!(served.status, 200);
    }
    let lasted = begun.elapsed();
    app.stop().await;
    ground.database.all_closed().await;
    let looks = ground.database.number(scans).await;
    // At most four a second, and what was done about the one key before.
    let most = 4 * (lasted.as_secs() as i64 + 3) + 10;
    assert!(
        looks <= most && most < 1000,
        "{looks} looks at the table in {lasted:?} for a thousand wrong keys"
    );
}

#[tokio::test]
async fn while_the_database_is_away_known_keys_are_known_and_no_other_is_called_wrong() {
    let ground = Ground::new(Carrier::InProcess).await;
    let proxy = Proxy::before(ground.database.address()).await;
    let url = ground.database.url_through(proxy.address);
    let app = ground.start_all(&[KEYS, ("DARKROOM_DATABASE__URL", &url)]).await;
    let client = &app.client;
    let known = new_key(&ground, &["known", "--scope", "read"]).await;
    assert_eq!(call(client, &known, Method::GET, "/api/stats").await.status, 200);
    let other = new_key(&ground, &["other", "--scope", "read"]).await;
    proxy.cut_off().await;
    for _ in 0..3 {
        // Who it is and what it may do is still known; what it asks for is away.
        assert_eq!(call(client, &known, Method::DELETE, "/api/images/1").await.refusal(), (403, "forbidden"));
        assert_eq!(call(client, &known, Method::GET, "/api/stats").await.refusal(), (503, "overloaded"));
        let begun = Instant::now();
        let untold = call(client, &other, Method::GET, "/api/stats").await;
        assert_eq!(untold.refusal(), (503, "overloaded"));
        assert!(
            untold.header("retry-after").is_some() && begun.elapsed() < Duration::from_secs(10),
            "{untold:?}"
        );
        assert_eq!(
            call(client, "not-a-key", Method::GET, "/api/stats").await.refusal(),
            (401, "unauthorized")
        );
    }
    proxy.heal();
    for (key, status) in [(&other, 200), (&wrong(1), 401), (&known, 200)] {
        eventually("it is told again", || async {
            (call(client, key, Method::GET, "/api/stats").await.status == status).then_some(())
        })
        .await;
    }
    app.stop().await;
}

#[tokio::test]
async fn an_idempotency_key_is_each_callers_own() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[KEYS]).await;
    let client = &app.client;
    let ann = new_key(&ground, &["ann", "--scope", "read,write"]).await;
    let bob = new_key(&ground, &["bob", "--scope", "read,write"]).await;
    let send = |key: &str, bytes: &[u8]| {
        answer(client.upload_request("i.jpg", bytes).bearer_auth(key).header("Idempotency-Key", "order-7"))
    };
    let id = |sent: &Answer| {
        assert_eq!(sent.status, 202, "{sent:?}");
        sent.data()["image_id"].as_i64().unwrap()
    };
    let (one, other) = (pictures::jpeg(90, 60), pictures::jpeg(60, 90));
    let (of_ann, of_bob) = (id(&send(&ann, &one).await), id(&send(&bob, &other).await));
    assert_ne!(of_ann, of_bob, "nobody is answered with somebody else's image");
    assert_eq!((id(&send(&ann, &one).await), id(&send(&bob, &other).await)), (of_ann, of_bob));
    assert_eq!(send(&ann, &other).await.refusal(), (422, "idempotency_mismatch"));
    assert_eq!(ground.database.number("select count(*) from images").await, 2);

    // What processes of the version before write is nobody's, and stands in no holder's way.
    let twice = "insert into idempotency_keys (key, image_id, sha256) values ('order-7', 1, sha256('')) on conflict do nothing";
    ground.database.run(&format!("{twice}; {twice}")).await;
    assert_eq!(ground.database.number("select count(*) from idempotency_keys").await, 3);
    assert_eq!((id(&send(&ann, &one).await), id(&send(&bob, &other).await)), (of_ann, of_bob));

    // Asking before sending.
    let held = |bytes: &[u8]| {
        let path = format!("/api/images?limit=1&sha256={}", digest(bytes).to_uppercase());
        let ann = ann.clone();
        async move { call(client, &ann, Method::GET, &path).await }
    };
    let found = held(&other).await;
    assert_eq!(found.data()["images"][0]["image_id"], of_bob, "{found:?}");
    assert_eq!(found.data()["images"][0]["sha256"], digest(&other));
    assert_eq!(held(b"never sent").await.data()["images"].as_array().unwrap().len(), 0);
    app.stop().await;
}

#[tokio::test]
async fn what_was_sent_before_keys_were_asked_for_is_answered_with_the_same_image_after_it() {
    let ground = Ground::new(Carrier::InProcess).await;
    let (one, other) = (pictures::jpeg(90, 60), pictures::jpeg(60, 90));
    let before = ground.start_all(&[]).await;
    let sent = answer(before.client.upload_request("i.jpg", &one).header("Idempotency-Key", "order-7")).await;
    assert_eq!(sent.data()["image_id"], 1, "{sent:?}");
    before.stop().await;
    let app = ground.start_all(&[KEYS]).await;
    let ann = new_key(&ground, &["ann", "--scope", "write"]).await;
    let send = |bytes: &[u8]| {
        let upload = app.client.upload_request("i.jpg", bytes).bearer_auth(&ann);
        answer(upload.header("Idempotency-Key", "order-7"))
    };
    assert_eq!(send(&one).await.data()["image_id"], 1);
    // Other bytes are no contradiction: who sent the first ones is not known.
    assert_eq!(send(&other).await.data()["image_id"], 2);
    assert_eq!(send(&other).await.data()["image_id"], 2);
    assert_eq!(send(&one).await.refusal(), (422, "idempotency_mismatch"), "now the key is her own");
    app.stop().await;
}

#[tokio::test]
async fn a_key_that_is_not_understood_is_refused_and_the_others_are_not() {
    let ground = Ground::new(Carrier::InProcess).await;
    let ann = new_key(&ground, &["ann", "--scope", "read"]).await;
    let odd = new_key(&ground, &["odd", "--scope", "read"]).await;
    let later_version = "alter table api_keys drop constraint api_keys_scopes_check;
                         update api_keys set scopes = array['read', 'audit'] where name = 'odd'";
    ground.database.run(later_version).await;
    let process = Process::start(&ground, &["--standalone"], &[KEYS]);
    let client = process.client().await;
    assert_eq!(call(&client, &ann, Method::GET, "/api/stats").await.status, 200);
    // Each of these has the table read anew.
    for _ in 0..3 {
        assert_eq!(call(&client, &odd, Method::GET, "/api/stats").await.refusal(), (401, "unauthorized"));
    }
    let bob = new_key(&ground, &["bob", "--scope", "read"]).await;
    assert_eq!(call(&client, &bob, Method::GET, "/api/stats").await.status, 200);
    let told = |process: &Process| process.log().matches("api_keys.scopes of row 2").count();
    eventually("it is told", || async { (told(&process) == 1).then_some(()) }).await;
}

#[tokio::test]
async fn a_server_that_cannot_read_the_keys_is_not_ready() {
    let ground = Ground::new(Carrier::InProcess).await;
    let key = new_key(&ground, &["ann", "--scope", "read"]).await;
    ground.database.run("alter table api_keys rename to elsewhere").await;
    let app = ground.start_all(&[KEYS, ("DARKROOM_DATABASE__MIGRATE", "false")]).await;
    eventually("it is not ready, and says why", || async {
        let ready = app.client.get("/readyz").await;
        let keys = ready.body["data"]["checks"]["keys"].to_string();
        (ready.status == 503 && keys.contains("cannot be read") && keys.contains("api_keys")).then_some(())
    })
    .await;
    assert_eq!(call(&app.client, &key, Method::GET, "/api/stats").await.refusal(), (503, "overloaded"));
    ground.database.run("alter table elsewhere rename to api_keys").await;
    eventually("it is ready", || async {
        let ready = app.client.get("/readyz").await;
        (ready.status == 200 && ready.data()["checks"]["keys"] == "ok").then_some(())
    })
    .await;
    assert_eq!(call(&app.client, &key, Method::GET, "/api/stats").await.status, 200);
    app.stop().await;
    let open = ground.start_all(&[]).await;
    assert!(open.client.get("/readyz").await.data()["checks"].get("keys").is_none(), "nobody is asked");
    open.stop().await;
}
