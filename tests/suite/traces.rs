//! Traces: from the upload through the message to each stage, the captioner and the statements, with a collector that really
//! listens, or does worse.

use crate::captions;
use crate::support::client::{Client, answer};
use crate::support::collector::{Collector, SOON, Span, tree};
use crate::support::fake_captioner::{FakeCaptioner, Mode};
use crate::support::fake_server::{FakeServer, Reply};
use crate::support::ground::{Carrier, Ground, eventually};
use crate::support::pictures;
use crate::support::process::Process;
use crate::webhooks;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::Value;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{CALLER}-{flags}")
}

async fn upload(client: &Client, traceparent: &str, callback: Option<&str>) -> i64 {
    let part = Part::bytes(pictures::jpeg(1200, 900)).file_name("geheim.jpg");
    let mut form = Form::new().part("file", part);
    if let Some(url) = callback {
        form = form.text("callback_url", url.to_owned());
    }
    let request = client.request(Method::POST, "/api/images").multipart(form);
    let sent = answer(request.header("traceparent", traceparent).header("tracestate", "vendor=1")).await;
    assert_eq!(sent.status, 202, "{sent:?}");
    sent.data()["image_id"].as_i64().unwrap()
}

/// The one span of this name.
fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    let [span] = found[..] else { panic!("{} spans are named {name}", found.len()) };
    span
}

#[tokio::test]
async fn one_trace_goes_from_the_upload_to_each_stage_the_captioner_the_statements_and_the_receiver() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let (collector, captioner) =
        (Collector::start().await, FakeCaptioner::start(Mode::Caption("A wall.")).await);
    captioner.first(Mode::Refuse(500, "out of order"));
    let receiver = FakeServer::start(Reply::new(204, "")).await;
    let (url, captions, secret) = (collector.url(), captioner.url(), webhooks::secret());
    let own = [
        &captions::settings(&captions)[..],
        &webhooks::settings(&secret, &[]),
        &[
            ("DARKROOM_TRACES__URL", &url),
            ("DARKROOM_TRACES__HEADERS", "x-key=geheim"),
            ("DARKROOM_LOG__LEVEL", "info,darkroom::traces=off"),
            ("DARKROOM_WORKER__LISTEN", "127.0.0.1:0"),
            // However busy the machine is, nothing is announced twice, and no lease is lost or renewed.
            ("DARKROOM_RELAY__REANNOUNCE_SECONDS", "600"),
            ("DARKROOM_AMQP__PUBLISH_SECONDS", "8"),
            ("DARKROOM_WORKER__LEASE_SECONDS", "120"),
            ("DARKROOM_WORKER__RENEW_SECONDS", "40"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
        ],
    ]
    .concat();
    let mut server = Process::start(&ground, &[], &own);
    let in_json = [&own[..], &[("DARKROOM_LOG__FORMAT", "json")]].concat();
    let mut worker = Process::start(&ground, &["--worker"], &in_json);
    let client = server.client().await;
    worker.client().await;
    let image = upload(&client, &traceparent("01"), Some(&receiver.url("/hook?token=geheim"))).await;
    webhooks::ended(&client, image, "delivered").await;
    for (path, status) in [("/livez", 200), ("/readyz", 200), ("/made/up", 404)] {
        assert_eq!(client.raw(path).await.status(), status);
    }
    for process in [&mut worker, &mut server] {
        process.signal("-TERM");
        assert!(process.ended().await.success());
    }

    let spans = collector.spans_of(TRACE);
    eprintln!("{}", tree(&spans, CALLER, spans[0].begun, 0));
    assert!(spans.iter().all(|span| span.state == "vendor=1"), "{spans:#?}");
    let (prefix, of) = (&ground.broker().prefix, |parent: &Span| -> Vec<&Span> {
        spans.iter().filter(|span| span.parent == parent.id).collect()
    });
    let request = named(&spans, "POST /api/images");
    assert_eq!((request.parent.as_str(), request.kind), (CALLER, SpanKind::Server));
    assert_eq!(request.attribute("http.route"), "/api/images");
    assert_eq!(request.attribute("http.response.status_code"), "202");
    assert_eq!(request.attribute("darkroom.image_id"), image.to_string());
    assert_eq!(request.resource["service.name"], "darkroom");
    assert_eq!(request.resource["darkroom.role"], "api");
    assert_eq!(request.resource["deployment.environment.name"], "test");
    let names = |spans: &[&Span]| spans.iter().map(|span| span.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        names(&of(request)),
        [
            "receive file".to_owned(),
            "keep file".to_owned(),
            "INSERT images INSERT jobs".to_owned(),
            format!("publish {prefix}:image"),
            format!("publish {prefix}:caption"),
            format!("publish {prefix}:caption"),
            format!("publish {prefix}:webhook"),
        ]
    );

    // From the request to the message, and from the message to the work.
    let published = named(&spans, &format!("publish {prefix}:image"));
    assert_eq!((published.kind, published.attribute("messaging.system")), (SpanKind::Producer, "rabbitmq"));
    assert_eq!(published.attribute("messaging.operation.type"), "send");
    assert_eq!(published.attribute("messaging.destination.name"), format!("{prefix}:image"));
    let processed = named(&spans, &format!("process {prefix}:image:{prefix}.image"));
    assert_eq!((processed.kind, processed.parent.as_str()), (SpanKind::Consumer, published.id.as_str()));
    assert_eq!(processed.attribute("darkroom.attempt"), "1");
    assert_eq!(processed.attribute("darkroom.image_id"), image.to_string());
    assert_eq!(processed.resource["darkroom.role"], "worker");
    assert_ne!(processed.resource["service.instance.id"], request.resource["service.instance.id"]);
    let stages = ["read original", "metadata", "wait for a turn", "thumbnails", "write thumbnails", "finish"];
    assert_eq!(names(&of(processed)), stages);
    let [statement] = of(of(processed)[5])[..] else { panic!("one statement ends a job") };
    assert_eq!((statement.kind, statement.attribute("db.system.name")), (SpanKind::Client, "postgresql"));
    assert!(statement.name.starts_with("SELECT images UPDATE jobs"), "{}", statement.name);

    // The first attempt at a caption fails, the second goes on in the same trace.
    let attempts: Vec<_> = spans
        .iter()
        .filter(|span| span.name.starts_with("process") && span.name.ends_with(".caption"))
        .collect();
    let seen = attempts
        .iter()
        .map(|span| (span.attribute("darkroom.attempt"), span.has_failed, span.attribute("error.type")));
    assert_eq!(seen.collect::<Vec<_>>(), [("1", true, "captioner_unavailable"), ("2", false, "")]);
    for (attempt, question) in attempts.iter().zip(captioner.questions()) {
        let asked = *of(attempt).iter().find(|span| span.name == "chat").unwrap();
        assert_eq!((asked.kind, asked.has_failed), (SpanKind::Client, attempt.has_failed));
        let [call] = of(asked)[..] else { panic!("one call") };
        assert_eq!((call.name.as_str(), call.has_failed), ("POST", attempt.has_failed));
        assert_eq!(question.header("traceparent"), format!("00-{TRACE}-{}-01", call.id));
        assert_eq!(question.header("tracestate"), "vendor=1");
    }

    let told = named(&spans, &format!("process {prefix}:webhook:{prefix}.webhook"));
    assert!(
        of(told)
            .iter()
            .any(|span| span.name == "POST" && span.attribute("http.response.status_code") == "204")
    );
    assert!(!receiver.asked()[0].headers.contains_key("traceparent"), "whoever uploads may name anybody");

    // Each span has a parent that is there, and nothing but requests began a trace of its own.
    for span in collector.spans() {
        let is_there = |id: &str| collector.spans().iter().any(|other| other.id == id);
        match span.parent.as_str() {
            CALLER | "" => {
                assert!(span.kind == SpanKind::Server && span.name.contains(" /api/"), "{span:#?}")
            }
            parent => assert!(is_there(parent), "{span:#?}"),
        }
        assert!(span.said.is_empty() && !format!("{span:?}").contains("geheim"), "{span:#?}");
        assert!(span.begun <= span.ended);
    }
    assert!(collector.0.asked().iter().all(|question| question.header("x-key") == "geheim"));

    // A line of the log finds its trace, and spans are no lines.
    let lines = worker.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
    let done: Vec<_> = lines.iter().filter(|line| line["message"] == "done").collect();
    assert!(done.len() == 3 && done.iter().all(|line| line["trace_id"] == TRACE), "{done:#?}");
    assert!(lines.iter().any(|line| line["message"] == "consuming" && line["trace_id"].is_null()));
    assert!(!worker.log().contains("write thumbnails") && !worker.log().contains("geheim"));
}

#[tokio::test]
async fn the_row_decides_which_trace_a_job_belongs_to_and_a_message_cannot_lie_about_it() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let collector = Collector::start().await;
    let url = collector.url();
    let own = [("DARKROOM_TRACES__URL", url.as_str()), SOON, ("DARKROOM_RELAY__REANNOUNCE_SECONDS", "600")];
    let server = Process::start(&ground, &[], &own);
    let client = server.client().await;
    // Of one the client says that nobody records it.
    let (untold, told) =
        (upload(&client, &traceparent("00"), None).await, upload(&client, &traceparent("01"), None).await);
    let broker = ground.broker();
    eventually("both are announced", || async { (broker.ready("image").await == 2).then_some(()) }).await;
    let kept = ground.database.rows("select traceparent, tracestate from jobs order by id").await;
    let kept: Vec<(Option<String>, Option<String>)> =
        kept.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(kept[0], (None, None));
    assert!(
        kept[1].0.as_ref().unwrap().starts_with(&format!("00-{TRACE}-"))
            && kept[1].1.as_deref() == Some("vendor=1")
    );

    // Somebody else's messages are first; and one that says nothing is one of a version before.
    let lie = "deadbeefdeadbeefdeadbeefdeadbeef";
    broker.purge("image").await;
    let jobs = ground.database.rows("select id, image_id from jobs order by id").await;
    for row in &jobs {
        let body =
            format!(r#"{{"version":1,"job":{},"image":{}}}"#, row.get::<_, i64>(0), row.get::<_, i64>(1));
        broker
            .publish_with("image", body.as_bytes(), &[("traceparent", &format!("00-{lie}-{CALLER}-01"))])
            .await;
    }
    let mut worker = Process::start(&ground, &["--worker"], &own);
    for image in [untold, told] {
        assert_eq!(client.settled(image).await["status"], "success");
    }
    worker.signal("-TERM");
    assert!(worker.ended().await.success());
    assert!(collector.spans_of(lie).is_empty());
    let all = collector.spans_of(TRACE);
    let processed = all.iter().filter(|span| span.name.starts_with("process")).collect::<Vec<_>>();
    let [processed] = processed[..] else { panic!("{all:#?}") };
    assert_eq!(processed.attribute("darkroom.image_id"), told.to_string());
    assert_eq!(processed.parent, named(&all, "POST /api/images").id, "nobody of ours has announced it");
}

#[tokio::test]
async fn without_a_collector_nothing_is_kept_told_or_handed_on() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let captioner = FakeCaptioner::start(Mode::Caption("A wall.")).await;
    let url = captioner.url();
    let process = Process::start(&ground, &["--standalone"], &captions::settings(&url));
    let client = process.client().await;
    let image = upload(&client, &traceparent("01"), None).await;
    assert_eq!(client.settled(image).await["caption"], "A wall.");
    let kept = ground
        .database
        .number("select count(*) from jobs where traceparent is not null or tracestate is not null");
    assert_eq!(kept.await, 0);
    assert!(!captioner.questions()[0].headers.contains_key("traceparent"));
    assert!(process.log().contains("done") && !process.log().contains("trace_id"));
}

#[tokio::test]
async fn a_collector_that_hangs_holds_up_neither_an_upload_nor_a_job_nor_the_end() {
    let ground = Ground::new(Carrier::InProcess).await;
    let collector = Collector(FakeServer::start(Reply::Hang).await);
    let url = collector.url();
    let own = [
        ("DARKROOM_TRACES__URL", url.as_str()),
        SOON,
        ("OTEL_BSP_MAX_QUEUE_SIZE", "8"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4"),
    ];
    let mut process = Process::start(&ground, &["--standalone"], &own);
    let client = process.client().await;
    client.get("/api/stats").await;
    eventually("it hangs", || async { (!collector.0.asked().is_empty()).then_some(()) }).await;
    // More spans than there is room for, and no answer up to here.
    for _ in 0..3 {
        let image = upload(&client, &traceparent("01"), None).await;
        assert_eq!(client.settled(image).await["status"], "success");
    }
    process.signal("-TERM");
    assert!(process.ended().await.success());
    assert!(process.log().contains("did not take the last traces"), "{}", process.log());
    assert!(
        process
            .log()
            .lines()
            .any(|line| line.contains("done") && line.ends_with(&format!(" trace_id={TRACE}")))
    );
}

#[tokio::test]
async fn a_collector_that_refuses_or_babbles_is_told_of_once_and_so_is_its_end() {
    let ground = Ground::new(Carrier::InProcess).await;
    let collector = Collector(FakeServer::start(Reply::new(401, "no")).await);
    let url = collector.url();
    let own = [("DARKROOM_TRACES__URL", url.as_str()), SOON];
    let mut process = Process::start(&ground, &["--standalone"], &own);
    let client = process.client().await;
    let ask_until = async |count: usize| {
        eventually("it is given more", || async {
            client.get("/api/stats").await;
            (collector.0.asked().len() >= count).then_some(())
        })
        .await;
    };
    ask_until(5).await;
    collector.0.set(Reply::Flood);
    ask_until(7).await;
    collector.0.set(Reply::new(200, "no protobuf at all"));
    ask_until(10).await;
    process.signal("-TERM");
    assert!(process.ended().await.success());
    let count = |text: &str| process.log().matches(text).count();
    assert_eq!((count("does not take traces"), count("takes traces again")), (1, 1), "{}", process.log());
    assert!(process.log().contains("it answered 401"));
}

#[tokio::test]
async fn what_a_client_says_of_a_trace_and_cannot_be_understood_is_as_if_it_said_nothing() {
    let ground = Ground::new(Carrier::InProcess).await;
    let collector = Collector::start().await;
    let url = collector.url();
    let own = [("DARKROOM_TRACES__URL", url.as_str()), ("DARKROOM_TRACES__SAMPLE_RATIO", "0")];
    let mut process = Process::start(&ground, &["--standalone"], &own);
    let client = process.client().await;
    for malformed in ["", "nonsense", &traceparent("1"), &traceparent("01").to_uppercase(), &"0".repeat(9000)]
    {
        upload(&client, malformed, None).await;
    }
    let image = upload(&client, &traceparent("01"), None).await;
    client.settled(image).await;
    process.signal("-TERM");
    assert!(process.ended().await.success());
    // None of all is recorded, but for the one whose client records it.
    let spans = collector.spans();
    assert!(!spans.is_empty() && spans.iter().all(|span| span.trace == TRACE), "{spans:#?}");
    let requests = spans.iter().filter(|span| span.kind == SpanKind::Server).count();
    assert_eq!(requests, 1, "{spans:#?}");
}
