//! `darkroom --dead-letters`: what the broker could not deliver, shown, and removed only if that is asked for.

use crate::queue::Queue;
use crate::settings::Settings;
use anyhow::Context;

/// Gives the lines to be shown to `show`, and then puts the up to `limit` oldest dead letters back or, with `drop`, removes
/// them; what could not be shown is never removed. The answer is a line that says what was done.
///
/// # Errors
/// If `amqp.url` is not set, the broker is away or has no such queue, or `show` fails.
pub async fn dead_letters(
    settings: &Settings,
    limit: usize,
    drop: bool,
    show: impl Fn(&str) -> anyhow::Result<()>,
) -> anyhow::Result<String> {
    let url = settings.amqp.url.as_ref().context("amqp.url is not set (DARKROOM_AMQP__URL)")?;
    let queue = Queue::rabbitmq(url, &settings.amqp)?;
    let held = queue.dead_letters(limit).await?;
    for letter in &held.letters {
        show(&format!("{letter}\n"))?;
    }
    let (shown, more) = (held.letters.len(), held.more);
    let done = if drop {
        let dropped = held.drop_all().await?;
        format!("{dropped} removed, {more} more")
    } else {
        held.put_back().await?;
        format!("{shown} shown, {more} more; none was removed")
    };
    queue.close().await;
    Ok(format!("{}.dead: {done}\n", settings.amqp.prefix))
}
