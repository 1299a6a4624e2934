//! API keys, as an operator makes, sees and revokes them; and what nobody sees of them.

use crate::keys::{KEYS, call, new_key};
use crate::support::client::answer;
use crate::support::ground::{Carrier, Ground, eventually};
use crate::support::pictures;
use crate::support::process::{Process, command, output};
use reqwest::Method;
use std::fs::File;

#[tokio::test]
async fn a_key_is_made_shown_once_listed_and_revoked() {
    let ground = Ground::new(Carrier::InProcess).await;
    let run = |arguments: &'static [&'static str]| output(&ground, arguments, &[]);
    // On an empty database, before any server has started.
    let (success, printed, said) = run(&["--new-key", "ci", "--scope", "read", "--scope", "write"]).await;
    assert!(success, "{said}");
    let key = printed.strip_suffix('\n').unwrap();
    assert!(key.starts_with("dk_") && key.len() == 46 && !key.contains(char::is_whitespace), "{printed:?}");
    assert!(said.contains("ci (read, write): shown this once") && !said.contains(key), "{said}");

    let made =
        new_key(&ground, &["slow", "--scope=admin", "--requests-per-minute=7", "--expires-days=30"]).await;
    assert_ne!(made, key);
    for (arguments, named) in [
        (&["--new-key", "ci", "--scope", "read"][..], "there is or was a key named ci"),
        (&["--new-key", "cd"], "--scope"),
        (&["--new-key", "cd", "--scope", "everything"], "everything"),
        (&["--new-key", "c d", "--scope", "read"], "1 to 64 letters"),
        (&["--new-key", "cd", "--scope", "read", "--requests-per-minute", "100001"], "100001"),
        (&["--new-key", "cd", "--scope", "read", "--expires-days", "0"], "0"),
        (&["--scope", "read"], "--new-key"),
        (&["--new-key", "cd", "--scope", "read", "--migrate"], "--migrate"),
        (&["--revoke-key", "nobody"], "no key named nobody"),
    ] {
        let (success, printed, said) = run(arguments).await;
        assert!(
            !success && printed.is_empty() && said.contains(named),
            "{arguments:?}: {printed:?} {said:?}"
        );
    }

    let app = ground.start_all(&[KEYS]).await;
    assert_eq!(call(&app.client, key, Method::GET, "/api/images").await.status, 200);
    let line = |name: &'static str| {
        let run = &run;
        async move {
            let (success, listed, said) = run(&["--list-keys"]).await;
            assert!(success, "{said}");
            assert!(!listed.contains("dk_"), "{listed}");
            listed.lines().find(|line| line.starts_with(name)).unwrap().to_owned()
        }
    };
    let listed = eventually("its use is noted", || async {
        let listed = line("ci ").await;
        (!listed.contains("never")).then_some(listed)
    })
    .await;
    assert!(listed.contains("read, write") && listed.ends_with("in force"), "{listed}");
    let other = line("slow").await;
    assert!(other.contains("admin") && other.contains(" 7 ") && other.contains("never"), "{other}");
    assert!(other.contains("in force until "), "{other}");

    let (success, printed, _) = run(&["--revoke-key", "ci"]).await;
    assert!(success && printed.starts_with("ci is revoked"), "{printed}");
    eventually("it is refused", || async {
        (call(&app.client, key, Method::GET, "/api/images").await.status == 401).then_some(())
    })
    .await;
    let (success, printed, _) = run(&["--revoke-key", "ci"]).await;
    assert!(success && printed.starts_with("ci was revoked before"), "{printed}");
    assert!(line("ci ").await.contains("revoked 20"));
    let (success, _, said) = run(&["--new-key", "ci", "--scope", "read"]).await;
    assert!(!success && said.contains("is or was"), "{said}");
    let stored = format!("select count(*) from api_keys where api_keys::text like '%{}%'", &key[3..]);
    assert_eq!(ground.database.number(&stored).await, 0);
    app.stop().await;
}

#[tokio::test]
async fn keys_are_made_beside_a_private_postgres_that_runs_and_nowhere_else() {
    let ground = Ground::new(Carrier::InProcess).await;
    let folder = ground.walkable_folder();
    let private = [KEYS, ("DARKROOM_DATABASE__URL", ""), ("DARKROOM_EMBEDDED__DIR", folder.as_str())];
    let arguments = ["--new-key", "me", "--scope", "admin"];
    let (success, printed, said) = output(&ground, &arguments, &private).await;
    assert!(
        !success && printed.is_empty() && said.contains("database.url") && said.contains(&folder),
        "{said}"
    );
    assert!(!std::path::Path::new(&folder).exists(), "nothing was begun");

    let mut process = Process::start(&ground, &["--standalone"], &private);
    let client = process.client().await;
    assert_eq!(client.get("/api/stats").await.refusal(), (401, "unauthorized"));
    let (success, printed, said) = output(&ground, &arguments, &private).await;
    assert!(success, "{said}");
    assert_eq!(call(&client, printed.trim_end(), Method::GET, "/api/stats").await.status, 200);
    let (success, listed, _) = output(&ground, &["--list-keys"], &private).await;
    assert!(success && listed.contains("me "), "{listed}");
    process.signal("-TERM");
    assert!(process.ended().await.success());
    let (success, _, said) = output(&ground, &["--list-keys"], &private).await;
    assert!(!success && said.contains("no darkroom --standalone runs"), "{said}");
}

#[tokio::test]
async fn no_log_holds_a_key_and_each_request_names_its_holder() {
    let ground = Ground::new(Carrier::InProcess).await;
    let key = new_key(&ground, &["ci", "--scope", "write"]).await;
    let own = [KEYS, ("DARKROOM_LOG__LEVEL", "trace"), ("DARKROOM_LOG__FORMAT", "json")];
    let mut command = command(&["--standalone"]);
    let mut process = Process::spawn(command.envs(ground.environment(&own)));
    let client = process.client().await;
    let upload = client.upload_request("l.jpg", &pictures::jpeg(32, 32)).bearer_auth(&key);
    let sent = answer(upload.header("X-Request-Id", "mine")).await;
    assert_eq!(sent.status, 202);
    let wrong = format!("dk_{:042}0", 7);
    let mut told = String::new();
    for answered in [
        call(&client, &key, Method::GET, "/api/stats").await,
        call(&client, &wrong, Method::GET, "/api/stats").await,
        call(&client, "open sesame", Method::GET, "/api/stats").await,
        answer(client.request(Method::GET, "/api/stats").bearer_auth(&wrong).header("x-api-key", &key)).await,
    ] {
        assert!(answered.status >= 400, "{answered:?}");
        told += &answered.body.to_string();
    }
    process.signal("-TERM");
    assert!(process.ended().await.success());
    let log = process.log();
    for secret in [&key, &wrong, "open sesame"] {
        assert!(
            !log.contains(secret) && !told.contains(secret),
            "{secret} is in an answer or in the log:\n{log}"
        );
    }
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = lines.iter().find(|line| line["message"] == "a request was answered").unwrap();
    let expected = serde_json::json!(["mine", "ci", "POST", "/api/images", 202]);
    let found: Vec<_> =
        ["request_id", "caller", "method", "path", "status"].map(|name| line[name].clone()).into();
    assert_eq!(serde_json::Value::from(found), expected, "{line}");
}

#[tokio::test]
async fn a_key_that_cannot_be_printed_is_revoked_again() {
    let ground = Ground::new(Carrier::InProcess).await;
    let mut command = command(&["--new-key", "lost", "--scope", "read"]);
    // Takes no byte, like a disk that is full or a pipe whose reader has gone.
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut process = Process::spawn(command.envs(ground.environment(&[])).stdout(full));
    assert!(!process.ended().await.success());
    assert!(process.log().contains("lost is revoked again"), "{}", process.log());
    let in_force = "select count(*) from api_keys where revoked_at is null";
    assert_eq!(ground.database.number(in_force).await, 0);
}

#[tokio::test]
async fn keys_that_have_expired_or_were_revoked_do_not_count() {
    let ground = Ground::new(Carrier::InProcess).await;
    new_key(&ground, &["first", "--scope", "read"]).await;
    let gone = "insert into api_keys (name, digest, scopes, expires_at, revoked_at)
                select n::text, sha256(n::text::bytea), array['read'], case when n % 2 = 0 then now() end,
                       case when n % 2 = 1 then now() end
                from generate_series(1, 20000) n";
    ground.database.run(gone).await;
    new_key(&ground, &["second", "--scope", "read"]).await;
    ground
        .database
        .run("update api_keys set expires_at = now() + interval '1 hour' where name <> 'first'")
        .await;
    let (success, printed, said) = output(&ground, &["--new-key", "third", "--scope", "read"], &[]).await;
    assert!(!success && printed.is_empty() && said.contains("10002 keys are in force"), "{said}");
    // Some ways of writing a time have no end.
    let endless = "select count(*) from pg_constraint where conrelid = 'api_keys'::regclass
                   and pg_get_constraintdef(oid) like '%isfinite(expires_at)%'";
    assert_eq!(ground.database.number(endless).await, 1);
}

#[tokio::test]
async fn a_key_is_made_without_migrating_a_database_that_can_hold_it() {
    let ground = Ground::new(Carrier::InProcess).await;
    new_key(&ground, &["first", "--scope", "read"]).await;
    // As if this program were newer than the servers.
    ground.database.run("delete from refinery_schema_history where version > 6").await;
    new_key(&ground, &["second", "--scope", "read"]).await;
    assert_eq!(ground.database.number("select max(version)::bigint from refinery_schema_history").await, 6);
}
