//! The program as an operator starts it.

use crate::support::ground::{Carrier, Ground};
use crate::support::pictures;
use crate::support::process::{Process, command};

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (bool, String, String) {
    let output = command(arguments).envs(variables.iter().copied()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn it_explains_itself() {
    let (success, help, _) = run(&["--help"], &[]);
    assert!(success);
    for word in [
        "--worker",
        "--queues",
        "--standalone",
        "--migrate",
        "--openapi",
        "--config",
        "/docs",
        "--retry-failed",
        "--dead-letters",
        "--new-key",
    ] {
        assert!(help.contains(word), "{word} is missing in:\n{help}");
    }
    let (success, document, _) = run(&["--openapi"], &[]);
    assert!(success && document == darkroom::http::yaml());
    let (success, settings, _) = run(&["--print-settings"], &[]);
    assert!(success && settings.contains("max_upload_bytes"));
}

#[test]
fn what_it_cannot_work_with_is_refused_by_name() {
    for (arguments, variables, named) in [
        (&["--worker"][..], &[][..], "amqp.url"),
        (&[], &[("DARKROOM_AMQP__URL", "amqp://x")], "database.url"),
        (&["--migrate"], &[], "database.url"),
        (&[], &[("DARKROOM_HTTP__LISTEN", "0.0.0.0:1")], "http.listen"),
        (&[], &[("DARKROOM_HTPP__LISTEN", "x")], "htpp.listen"),
        (&["--worker", "--queues", "video"], &[], "video"),
        (&["--worker", "--standalone"], &[], "--standalone"),
        (&["--config", "/does/not/exist.toml"], &[], "exist.toml"),
    ] {
        let (success, _, message) = run(arguments, variables);
        assert!(!success && message.contains(named), "{arguments:?} {variables:?} gave {message:?}");
    }
}

#[tokio::test]
async fn four_migrate_at_once() {
    let ground = Ground::new(Carrier::InProcess).await;
    let mut processes: Vec<_> = (0..4).map(|_| Process::start(&ground, &["--migrate"], &[])).collect();
    for process in &mut processes {
        assert!(process.ended().await.success(), "{}", process.log());
    }
    let migrations = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap().count();
    let applied = ground.database.number("select count(*) from refinery_schema_history").await;
    assert_eq!(applied, i64::try_from(migrations).unwrap());
}

#[tokio::test]
async fn a_migration_that_was_passed_over_is_named_and_not_taken_for_a_newer_version() {
    let ground = Ground::new(Carrier::InProcess).await;
    assert!(Process::start(&ground, &["--migrate"], &[]).ended().await.success());
    ground.database.run("delete from refinery_schema_history where version = 5").await;
    let mut process = Process::start(&ground, &["--migrate"], &[]);
    assert!(!process.ended().await.success());
    let said = process.log();
    assert!(said.contains("lacks V5__events") && !said.contains("newer"), "{said}");
}

#[tokio::test]
async fn a_server_and_a_worker_serve_and_stop_on_sigterm() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let mut server = Process::start(&ground, &[], &[]);
    let mut worker = Process::start(&ground, &["--worker"], &[("DARKROOM_WORKER__LISTEN", "127.0.0.1:0")]);
    let (client, health) = (server.client().await, worker.client().await);
    let id = client.upload("s.jpg", &pictures::jpeg(320, 240)).await;
    assert_eq!(client.settled(id).await["status"], "success");
    assert_eq!(health.get("/livez").await.status, 200);
    assert_eq!(health.get("/readyz").await.data()["checks"]["broker"], "ok");
    assert_eq!(health.get("/api/images").await.refusal(), (404, "not_found"));
    let address = client.address().to_owned();
    let (healthy, _, said) = run(&["--healthcheck"], &[("DARKROOM_HTTP__LISTEN", &address)]);
    assert!(healthy, "{said}");
    let (healthy, _, _) = run(&["--healthcheck"], &[("DARKROOM_HTTP__LISTEN", "127.0.0.1:1")]);
    assert!(!healthy);
    for process in [&mut server, &mut worker] {
        process.signal("-TERM");
        assert!(process.ended().await.success(), "{}", process.log());
    }
}

#[tokio::test]
async fn swagger_ui_comes_from_the_binary() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let page = app.client.raw("/docs").await;
    assert_eq!(page.status(), 200);
    let html = page.text().await.unwrap();
    assert!(
        html.contains("swagger") && !html.contains("src=\"http") && !html.contains("href=\"http"),
        "outside assets"
    );
    assert_eq!(
        app.client.raw("/openapi.json").await.json::<serde_json::Value>().await.unwrap()["info"]["title"],
        "Darkroom"
    );
    assert_eq!(app.client.raw("/openapi.yaml").await.text().await.unwrap(), darkroom::http::yaml());
    app.stop().await;
}
