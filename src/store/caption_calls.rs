//! Calls to captioners, before and after: whether one may be made now, and what came of it. All workers share one circuit
//! breaker and one budget for each provider, and no two ask the same thing about the same picture.

use super::error::Doing;
use super::{Store, StoreError, Value, answered, execute, query_opt};
use crate::domain::{Attempt, CallId, Caption, Failure, FailureCode, ImageId, JobId, Question};
use deadpool_postgres::Transaction;
use std::time::Duration;
use tokio_postgres::Row;

/// A slot of the budget that is no further away than this is waited for; later ones are not reserved.
const SHORT_WAIT: Duration = Duration::from_secs(5);

/// After which somebody who waits for another's call looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// After the longest that a call may take, and a wait for its slot: its worker has vanished.
const SLACK: Duration = Duration::from_secs(15);

/// A wish to call.
#[derive(Debug, Clone)]
pub struct WantedCall<'a> {
    /// For which job.
    pub job: JobId,
    /// The attempt that makes it; `None` before the job is claimed.
    pub attempt: Option<Attempt>,
    /// What is asked, and whom.
    pub question: &'a Question,
    /// By what the breaker and the budget of the provider are known.
    pub endpoint: &'a str,
    /// Calls permitted in a minute, evenly spaced; `None` for any number.
    pub per_minute: Option<u32>,
    /// Calls permitted in a day of UTC; `None` for any number.
    pub per_day: Option<u32>,
    /// The longest that it may take.
    pub lasts: Duration,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum CallPermit {
    /// It may be made, `starts_in` from now, and is counted.
    Granted {
        /// To be ended with [`Store::end_call`], or given back with [`Store::give_back_call`].
        call: CallId,
        /// For the budget of a minute; at most five seconds.
        starts_in: Duration,
    },
    /// Nothing is to be paid: a caption of an identical picture is known, and is now one of this image too.
    Known(String),
    /// Not now.
    NotNow(Wait),
    /// The job is about another model.
    OtherModel(String),
    /// The job does not wait, or not for this attempt: it is done, in other hands, or gone.
    NoSuchJob,
}

/// When a call may be possible, and why it is not now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// From now.
    pub wait: Duration,
    /// How long the job has waited since it was made.
    pub waited: Duration,
    /// What stands in the way.
    pub reason: WaitReason,
}

/// What stands in the way of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitReason {
    /// The same is being asked about an identical picture.
    UnderWay,
    /// The budget is used up.
    Budget,
    /// The circuit breaker is open: why, as it was last told.
    Open(String),
}

/// What came of a call, and what it means for the provider.
#[derive(Debug, Clone)]
pub struct EndedCall<'a> {
    /// The attempt that made it.
    pub attempt: Attempt,
    /// How long it took.
    pub run: Duration,
    /// A caption, which is thereby recorded, or none.
    pub result: Result<&'a Caption, &'a Failure>,
    /// What was asked, and whom.
    pub question: &'a Question,
    /// By what the breaker of the provider is known.
    pub endpoint: &'a str,
    /// The circuit breaker's part.
    pub verdict: ProviderVerdict,
}

/// What a call says of its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderVerdict {
    /// It answers: failures in a row end.
    Answers,
    /// It failed. After `tolerated` failures in a row nobody asks it for `pause`, doubled with each further failure, up to
    /// `longest`.
    Fails {
        /// How many failures in a row open the breaker.
        tolerated: u32,
        /// For how long at first.
        pause: Duration,
        /// And at the most.
        longest: Duration,
    },
    /// Nobody is to ask it for so long.
    Pauses(Duration),
}

impl Store {
    /// Asks for permission to call. It is counted, by the row that [`CallPermit::Granted`] names.
    ///
    /// # Errors
    /// If Postgres is away (then it may be counted, which lapses), or refuses.
    pub async fn permit_call(&self, wanted: &WantedCall<'_>) -> Result<CallPermit, StoreError> {
        let doing = "asking for permission to call a captioner";
        let mut client = self.client(doing).await?;
        let transaction = answered(client.transaction()).await.doing(doing)?;
        let sql = "
            select i.id, i.sha256, j.caption_model, extract(epoch from now() - j.created_at)::float8 as waited
            from jobs j join images i on i.id = j.image_id
            where j.id = $1 and (case when $2::integer is null then j.state = 'queued' and j.due_at <= now()
                                 else j.attempt = $2 and j.lease_until is not null end)";
        let attempt = wanted.attempt.map(Attempt::get);
        let job = query_opt(&transaction, sql, &[&wanted.job.get(), &attempt]).await.doing(doing)?;
        let Some(job) = job else { return Ok(CallPermit::NoSuchJob) };
        let Question { provider, model, prompt_version, .. } = wanted.question;
        if let Some(other) = job.get::<_, Option<String>>("caption_model").filter(|other| other != model) {
            return Ok(CallPermit::OtherModel(other));
        }
        let picture: &[u8] = job.get("sha256");
        if let Some(text) = take_over(&transaction, ImageId::new(job.get("id")), picture, wanted).await? {
            answered(transaction.commit()).await.doing(doing)?;
            return Ok(CallPermit::Known(text));
        }
        let waited = seconds(&job, "waited");
        let not_now = |(wait, reason)| CallPermit::NotNow(Wait { wait, waited, reason });
        let starts_in = match reserve(&transaction, wanted).await? {
            Ok(starts_in) => starts_in,
            Err(refused) => return Ok(not_now(refused)),
        };
        // Whose job was claimed for it, and is in nobody's hands any more; or has not been claimed for too long.
        let sql = "
            update caption_calls c set ended_at = now(), run_ms = 1000 * extract(epoch from now() - c.begun_at)::float8,
                error_code = $4, error = 'the worker that made the call vanished'
            from jobs j
            where c.sha256 = $1 and c.model = $2 and c.prompt_version = $3 and c.ended_at is null and j.id = c.job_id
              and (c.lapses_at < now() or (j.claimed_at >= c.begun_at and coalesce(j.lease_until < now(), true)))";
        let vanished = FailureCode::WorkerLost.as_str();
        execute(&transaction, sql, &[&picture, model, prompt_version, &vanished]).await.doing(doing)?;
        let sql = "
            insert into caption_calls (job_id, provider, model, prompt_version, sha256, lapses_at)
            values ($1, $2, $3, $4, $5, now() + $6 * interval '1 second') on conflict do nothing returning id";
        let lapses = (starts_in + wanted.lasts + SLACK).as_secs_f64();
        let values: [Value<'_>; 6] = [&wanted.job.get(), provider, model, prompt_version, &picture, &lapses];
        match query_opt(&transaction, sql, &values).await.doing(doing)? {
            Some(row) => {
                answered(transaction.commit()).await.doing(doing)?;
                Ok(CallPermit::Granted { call: CallId::new(row.get("id")), starts_in })
            }
            // Rolled back, with the slot.
            None => Ok(not_now((LOOK_AGAIN, WaitReason::UnderWay))),
        }
    }

    /// Gives a permission back that was not used. Its slot stays used.
    ///
    /// # Errors
    /// If Postgres is away or refuses; the call lapses by itself.
    pub async fn give_back_call(&self, call: CallId) -> Result<(), StoreError> {
        let doing = "giving a call back";
        let client = self.client(doing).await?;
        let sql = "delete from caption_calls where id = $1 and ended_at is null";
        execute(&client, sql, &[&call.get()]).await.doing(doing).map(drop)
    }

    /// Records what came of a call. From then on its caption is not paid for again, whatever becomes of the worker.
    ///
    /// # Errors
    /// If Postgres is away (then it may or may not be recorded, and may be repeated) or refuses.
    pub async fn end_call(&self, call: CallId, ended: &EndedCall<'_>) -> Result<(), StoreError> {
        let doing = "recording a call";
        let client = self.client(doing).await?;
        let sql = "
            with ended as (
                update caption_calls set ended_at = now(), attempt = $2, run_ms = $3, error_code = $4, error = $5
                where id = $1 and ended_at is null returning job_id)
            insert into captions (image_id, source, text, provider, model, prompt_version, language, call_id, run_ms,
                prompt_tokens, completion_tokens)
            select j.image_id, 'ai', $6, $7, $8, $9, $10, $1, $3, $11, $12
            from ended join jobs j on j.id = ended.job_id where $6::text is not null";
        let failure = ended.result.err();
        let (code, error) = (failure.map(|f| f.code().as_str()), failure.map(Failure::text));
        let caption = ended.result.ok();
        let text = caption.map(|caption| caption.text.as_str());
        let tokens = caption.and_then(|caption| caption.tokens);
        let count = |tokens: u32| i32::try_from(tokens).unwrap_or(i32::MAX);
        let (prompt, completion) = tokens.map(|t| (count(t.prompt), count(t.completion))).unzip();
        let Question { provider, model, prompt_version, language } = ended.question;
        let run_ms = ended.run.as_secs_f64() * 1e3;
        let values: [Value<'_>; 12] = [
            &call.get(),
            &ended.attempt.get(),
            &run_ms,
            &code,
            &error,
            &text,
            provider,
            model,
            prompt_version,
            language,
            &prompt,
            &completion,
        ];
        execute(&client, sql, &values).await.doing(doing)?;
        let judged = match ended.verdict {
            ProviderVerdict::Answers => {
                let sql = "update caption_providers set failures = 0, open_until = null, error_code = null, error = null
                           where name = $1 and (failures > 0 or open_until is not null)";
                execute(&client, sql, &[&ended.endpoint]).await
            }
            ProviderVerdict::Pauses(pause) => {
                let sql = "update caption_providers set failures = failures + 1, error_code = $3, error = $4,
                               open_until = greatest(open_until, now() + $2 * interval '1 second')
                           where name = $1";
                execute(&client, sql, &[&ended.endpoint, &pause.as_secs_f64(), &code, &error]).await
            }
            ProviderVerdict::Fails { tolerated, pause, longest } => {
                // A probe that failed leaves `open_until` in the future: what comes now is later.
                let sql = "update caption_providers set failures = failures + 1, error_code = $5, error = $6,
                               open_until = case when failures + 1 >= $2 then now() + interval '1 second' *
                                   least($3 * power(2, least(failures + 1 - $2, 20)), $4) else open_until end
                           where name = $1";
                let values: [Value<'_>; 6] = [
                    &ended.endpoint,
                    &i32::try_from(tolerated).unwrap_or(i32::MAX),
                    &pause.as_secs_f64(),
                    &longest.as_secs_f64(),
                    &code,
                    &error,
                ];
                execute(&client, sql, &values).await
            }
        };
        judged.doing(doing).map(drop)
    }
}

/// Gives the image the caption that is known of an identical picture, once.
async fn take_over(
    transaction: &Transaction<'_>,
    image: ImageId,
    picture: &[u8],
    wanted: &WantedCall<'_>,
) -> Result<Option<String>, StoreError> {
    let doing = "looking for a caption of an identical picture";
    let Question { model, prompt_version, .. } = wanted.question;
    // Whichever comes first: all say the same.
    let sql = "
        select c.id, c.text from images i join captions c on c.image_id = i.id
        where i.sha256 = $1 and c.source = 'ai' and c.model = $2 and c.prompt_version = $3 limit 1";
    let Some(known) = query_opt(transaction, sql, &[&picture, model, prompt_version]).await.doing(doing)?
    else {
        return Ok(None);
    };
    // Unless it is the image's newest, recorded by an attempt whose worker vanished.
    let sql = "
        insert into captions (image_id, source, text, provider, model, prompt_version, language)
        select $1, source, text, provider, model, prompt_version, language from captions where id = $2 and not exists (
            select from (select model, prompt_version from captions where image_id = $1 and source = 'ai'
                         order by id desc limit 1) newest
            where newest.model = $3 and newest.prompt_version = $4)";
    let values: [Value<'_>; 4] = [&image.get(), &known.get::<_, i64>("id"), model, prompt_version];
    execute(transaction, sql, &values).await.doing(doing)?;
    Ok(Some(known.get("text")))
}

/// A slot of the provider: how far away it is, or when and why there is none. It is taken when the transaction commits.
async fn reserve(
    transaction: &Transaction<'_>,
    wanted: &WantedCall<'_>,
) -> Result<Result<Duration, (Duration, WaitReason)>, StoreError> {
    let doing = "looking at the budget of a captioner";
    let endpoint = wanted.endpoint;
    // Who calls first makes the row. From here on to the commit, others wait in line; what they wait for takes a moment.
    let sql = "insert into caption_providers (name) values ($1) on conflict do nothing";
    execute(transaction, sql, &[&endpoint]).await.doing(doing)?;
    let sql = "
        select failures, error, extract(epoch from coalesce(open_until, now()) - now())::float8 as open_for,
            extract(epoch from greatest(next_at, now()) - now())::float8 as slot_in,
            case when day = (now() at time zone 'utc')::date then day_calls else 0 end as day_calls,
            extract(epoch from date_trunc('day', now() at time zone 'utc') + interval '1 day'
                - (now() at time zone 'utc'))::float8 as day_left
        from caption_providers where name = $1 for update";
    let Some(row) = query_opt(transaction, sql, &[&endpoint]).await.doing(doing)? else {
        return Ok(Err((LOOK_AGAIN, WaitReason::Budget)));
    };
    let (open_for, slot_in) = (seconds(&row, "open_for"), seconds(&row, "slot_in"));
    if !open_for.is_zero() {
        let error: Option<String> = row.get("error");
        return Ok(Err((
            open_for,
            WaitReason::Open(error.unwrap_or_else(|| "it is being tried".to_owned())),
        )));
    }
    let day_calls: i32 = row.get("day_calls");
    if wanted.per_day.is_some_and(|most| i64::from(day_calls) >= i64::from(most)) {
        return Ok(Err((seconds(&row, "day_left"), WaitReason::Budget)));
    }
    if wanted.per_minute.is_some() && slot_in > SHORT_WAIT {
        return Ok(Err((slot_in - SHORT_WAIT, WaitReason::Budget)));
    }
    // After failures in a row one call tries whether it answers again; the others wait for what comes of it.
    let spacing = wanted.per_minute.map_or(0.0, |calls| 60.0 / f64::from(calls));
    let starts_in = if wanted.per_minute.is_some() { slot_in } else { Duration::ZERO };
    let sql = "
        update caption_providers set next_at = greatest(next_at, now()) + $2 * interval '1 second',
            day = (now() at time zone 'utc')::date, day_calls = $3 + 1,
            open_until = case when open_until is not null then now() + $4 * interval '1 second' end
        where name = $1";
    let lasts = (starts_in + wanted.lasts).as_secs_f64();
    let values: [Value<'_>; 4] = [&endpoint, &spacing, &day_calls, &lasts];
    execute(transaction, sql, &values).await.doing(doing)?;
    Ok(Ok(starts_in))
}

fn seconds(row: &Row, column: &str) -> Duration {
    Duration::try_from_secs_f64(row.get(column)).unwrap_or_default()
}
