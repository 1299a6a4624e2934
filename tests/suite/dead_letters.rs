//! `--dead-letters`: what could not be delivered can be looked at, and removing it loses nothing.

use crate::support::ground::{Carrier, Ground, eventually};
use crate::support::pictures;
use crate::support::process::output;
use darkroom::app::Role;
use darkroom::domain::JobKind;

/// They need the broker alone.
const NO_DATABASE: [(&str, &str); 1] = [("DARKROOM_DATABASE__URL", "")];

#[tokio::test]
async fn dead_letters_are_shown_and_stay_until_they_are_dropped() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let app = ground.start_all(&[]).await;
    let id = app.client.upload("first.jpg", &pictures::jpeg(64, 64)).await;
    app.client.settled(id).await;
    let strange = [
        b"\x1b[2J\x07red\xe2\x80\xae".to_vec(),
        br#"{"version":99,"job":1,"image":1}"#.to_vec(),
        vec![b'x'; 300_000],
    ];
    let broker = ground.broker();
    for letter in &strange {
        broker.publish("image", std::slice::from_ref(letter)).await;
    }
    eventually("all are dead letters", || async { (broker.ready("dead").await == 3).then_some(()) }).await;

    // More often than RabbitMQ 4 lets a message be put back.
    for _ in 0..24 {
        let (success, shown, said) = output(&ground, &["--dead-letters"], &NO_DATABASE).await;
        assert!(success, "{said}");
        assert!(shown.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{shown:?}");
        let letters: Vec<&str> = shown.lines().filter(|line| line.contains("  queue ")).collect();
        assert_eq!(letters.len(), 3, "{shown}");
        for letter in &letters {
            assert!(letter.starts_with("20"), "when: {letter}");
            assert!(
                letter.contains(&format!("queue {}  reason rejected", broker.queue("image"))),
                "{letter}"
            );
        }
        for told in ["version 99", "300000 bytes", r"\x1b[2J\x07red", "3 shown, 0 more; none was removed"] {
            assert!(shown.contains(told), "{told} is missing in\n{shown}");
        }
        assert!(shown.len() < 3000, "bounded");
        // The broker puts them back in its own time.
        eventually("all are back", || async { (broker.ready("dead").await == 3).then_some(()) }).await;
    }

    let put_back = broker.times_put_back("dead").await;
    assert!((1..20).contains(&put_back), "put back {put_back} times, and counted");
    eventually("it is back", || async { (broker.ready("dead").await == 3).then_some(()) }).await;

    let (_, two, _) = output(&ground, &["--dead-letters", "--limit", "2"], &NO_DATABASE).await;
    assert!(two.contains("2 shown, 1 more"), "{two}");
    eventually("all are back", || async { (broker.ready("dead").await == 3).then_some(()) }).await;
    let (success, dropped, _) =
        output(&ground, &["--dead-letters", "--limit", "1", "--drop"], &NO_DATABASE).await;
    assert!(success && dropped.contains("1 removed, 2 more"), "{dropped}");
    assert_eq!(broker.ready("dead").await, 2);
    let (_, dropped, _) = output(&ground, &["--dead-letters", "--drop"], &NO_DATABASE).await;
    assert!(dropped.contains("2 removed, 0 more"), "{dropped}");
    let (success, none, _) = output(&ground, &["--dead-letters"], &NO_DATABASE).await;
    assert!(success && none.contains("0 shown, 0 more"), "{none}");
    app.stop().await;
}

#[tokio::test]
async fn a_job_whose_message_was_delivered_too_often_is_processed_all_the_same() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let server = ground.start(Role::Server, &[]).await;
    let id = server.client.upload("u.jpg", &pictures::jpeg(64, 64)).await;
    let job = ground.database.number("select id from jobs").await;
    let broker = ground.broker();
    eventually("it is announced", || async { (broker.ready("image").await > 0).then_some(()) }).await;
    // Workers that die one after the other, before they can even claim it.
    eventually("the broker gives it up", || async {
        broker.let_go("image").await;
        (broker.ready("dead").await > 0).then_some(())
    })
    .await;
    let (_, shown, _) = output(&ground, &["--dead-letters", "--drop"], &NO_DATABASE).await;
    let names = format!("announces image job {job} of image {id}");
    assert!(shown.contains("reason delivery_limit  ") && shown.contains(&names), "{shown}");
    assert_eq!(broker.ready("dead").await, 0);

    let worker = ground.start(Role::Worker(JobKind::ALL.to_vec()), &[]).await;
    assert_eq!(server.client.settled(id).await["status"], "success");
    assert_eq!(ground.database.number("select attempt::bigint from jobs").await, 1);
    worker.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn a_broker_that_holds_nothing_of_ours_is_not_written_to() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let (success, _, said) = output(&ground, &["--dead-letters"], &NO_DATABASE).await;
    assert!(!success && said.contains("no queue"), "{said}");
    let (success, _, said) = output(
        &ground,
        &["--dead-letters"],
        &[("DARKROOM_AMQP__URL", "amqp://guest:s3cret@127.0.0.1:5672/%2f")],
    )
    .await;
    assert!(!success && said.contains("ACCESS_REFUSED") && !said.contains("s3cret"), "{said}");
    let (success, _, said) = output(&ground, &["--dead-letters"], &[("DARKROOM_AMQP__URL", "")]).await;
    assert!(!success && said.contains("amqp.url"), "{said}");
}
