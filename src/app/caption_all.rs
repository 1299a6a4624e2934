//! `darkroom --caption-all`: captions for images that have none, or one by an older prompt, in a lane so narrow that new
//! uploads do not notice.
//!
//! Only rows are written; the API that runs announces the jobs, and workers do them. What is done is known by its rows, so it
//! may be broken off anywhere and begun anew.

use super::connect::known_store;
use super::retries::tried;
use crate::captioner::Captioner;
use crate::settings::Settings;
use crate::store::CaptionGap;
use anyhow::Context;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Between looks at whether there is room in the lane.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Between lines of progress.
const TELL_AGAIN: Duration = Duration::from_secs(10);

/// Which captions are asked for.
#[derive(Debug, Clone, Copy)]
pub struct CaptionWish {
    /// Also those that a model gave to another prompt than that of the settings.
    pub older_prompts: bool,
    /// At most so many.
    pub limit: Option<u64>,
}

/// Queues captions until all images have one, or `stop`; the answer is how many.
///
/// # Errors
/// If captions are off, no database is known, or Postgres stays away.
pub async fn caption_all(
    settings: &Settings,
    wish: CaptionWish,
    stop: &CancellationToken,
) -> anyhow::Result<u64> {
    let captioner = Captioner::from_settings(&settings.captioner)?;
    let captioner = captioner.context("captions are off: set captioner.provider, or a key")?;
    let store = known_store(settings)?;
    let prompts = captioner.providers().iter().map(|provider| provider.question().prompt_version.clone());
    let gap = match wish.older_prompts {
        true => CaptionGap::OlderThan(prompts.collect()),
        false => CaptionGap::None,
    };
    // Half of what one worker does at a time: the other half is always free for new uploads.
    let lane = u64::try_from(settings.caption_concurrency() / 2).unwrap_or(u64::MAX).max(1);
    let described = settings.captioner.ask_if_described;
    let (mut queued, mut after, mut told) = (0, None, Instant::now());
    while wish.limit.is_none_or(|limit| queued < limit) {
        anyhow::ensure!(
            !stop.is_cancelled(),
            "told to stop after {queued} captions were queued; the same command does the rest"
        );
        if told.elapsed() > TELL_AGAIN {
            told = Instant::now();
            tracing::info!(queued, image = after.map(crate::domain::ImageId::get), "asking for captions");
        }
        let room = lane.saturating_sub(tried(|| store.captions_under_way(lane)).await?);
        let most = wish.limit.map_or(room, |limit| room.min(limit - queued));
        if most == 0 {
            stop.run_until_cancelled(tokio::time::sleep(LOOK_AGAIN)).await;
            continue;
        }
        let Some(step) = tried(|| store.queue_captions(after, most, &gap, described)).await? else { break };
        after = Some(step.last);
        queued += step.queued;
    }
    Ok(queued)
}
