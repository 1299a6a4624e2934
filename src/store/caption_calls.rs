//! What came of calls to captioners, and what that says of their providers: all workers share one circuit breaker for each.

use super::error::Doing;
use super::{Store, StoreError, Value, execute};
use crate::domain::{Attempt, CallId, Caption, Failure, FailureCode, Question};
use std::time::Duration;

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
    /// It failed. Nobody asks it for as long as it `named`; and after `tolerated` failures in a row for `pause`, doubled with
    /// each further failure, up to `longest`, if that is longer.
    Fails {
        /// What it asked for, if it did.
        named: Option<Duration>,
        /// How many failures in a row open the breaker.
        tolerated: u32,
        /// For how long at first.
        pause: Duration,
        /// And at the most.
        longest: Duration,
    },
    /// Nothing: it was asked for a model that it is not known by.
    Unchanged,
}

impl Store {
    /// Records what came of a call. From then on its caption is not paid for again, whatever becomes of the worker.
    ///
    /// # Errors
    /// If Postgres is away (then it may or may not be recorded, and may be repeated) or refuses.
    pub async fn end_call(&self, call: CallId, ended: &EndedCall<'_>) -> Result<(), StoreError> {
        let doing = "recording a call";
        let client = self.client(doing).await?;
        // The image first. A call that was given up for lost has ended after all.
        let sql = "
            with image as materialized (
                select i.id from caption_calls c join jobs j on j.id = c.job_id join images i on i.id = j.image_id
                where c.id = $1 for key share of i),
            ended as (
                update caption_calls set ended_at = now(), attempt = $2, run_ms = $3, error_code = $4, error = $5
                where id = $1 and (ended_at is null or error_code = $13) and exists (select from image)
                returning sha256)
            insert into captions (image_id, source, text, provider, model, prompt_version, language, call_id, run_ms,
                prompt_tokens, completion_tokens, sha256)
            select image.id, 'ai', $6, $7, $8, $9, $10, $1, $3, $11, $12, sha256
            from ended, image where $6::text is not null";
        let failure = ended.result.err();
        let (code, error) = (failure.map(|f| f.code().as_str()), failure.map(Failure::text));
        let caption = ended.result.ok();
        let text = caption.map(|caption| caption.text.as_str());
        let tokens = caption.and_then(|caption| caption.tokens);
        let count = |tokens: u32| i32::try_from(tokens).unwrap_or(i32::MAX);
        let (prompt, completion) = tokens.map(|t| (count(t.prompt), count(t.completion))).unzip();
        let Question { provider, model, prompt_version, language } = ended.question;
        let run_ms = ended.run.as_secs_f64() * 1e3;
        let lost = FailureCode::WorkerLost.as_str();
        let values: [Value<'_>; 13] = [
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
            &lost,
        ];
        execute(&client, sql, &values).await.doing(doing)?;
        self.judge(call, ended).await
    }

    /// What a call says of its provider, unless the breaker has opened since it began: then that is known already.
    async fn judge(&self, call: CallId, ended: &EndedCall<'_>) -> Result<(), StoreError> {
        let doing = "recording how a captioner fares";
        let client = self.client(doing).await?;
        let news = "name = $1 and (opened_at is null or opened_at <= (select begun_at from caption_calls where id = $2))";
        let failure = ended.result.err();
        let (code, error) = (failure.map(|f| f.code().as_str()), failure.map(Failure::text));
        match ended.verdict {
            ProviderVerdict::Unchanged => {
                // If the breaker was only open for this call to try, somebody else tries.
                let sql = format!(
                    "update caption_providers set open_until = least(open_until, now())
                     where {news} and open_until is not null"
                );
                execute(&client, &sql, &[&ended.endpoint, &call.get()]).await
            }
            ProviderVerdict::Answers => {
                let sql = format!(
                    "update caption_providers set failures = 0, open_until = null, opened_at = null, failing_since = null,
                         error_code = null, error = null
                     where {news} and failing_since is not null"
                );
                execute(&client, &sql, &[&ended.endpoint, &call.get()]).await
            }
            ProviderVerdict::Fails { named, tolerated, pause, longest } => {
                let opens = "($3::float8 is not null or failures + 1 >= $4)";
                let ladder = "case when failures + 1 >= $4 then least($5 * power(2, least(failures + 1 - $4, 20)), $6)
                              else 0 end";
                let sql = format!(
                    "update caption_providers set failures = failures + 1, error_code = $7, error = $8,
                         failing_since = coalesce(failing_since, now()),
                         opened_at = case when {opens} then now() else opened_at end,
                         open_until = case when {opens}
                             then now() + interval '1 second' * greatest($3::float8, {ladder}) end
                     where {news}"
                );
                let values: [Value<'_>; 8] = [
                    &ended.endpoint,
                    &call.get(),
                    &named.map(|named| named.as_secs_f64()),
                    &i32::try_from(tolerated).unwrap_or(i32::MAX),
                    &pause.as_secs_f64(),
                    &longest.as_secs_f64(),
                    &code,
                    &error,
                ];
                execute(&client, &sql, &values).await
            }
        }
        .doing(doing)
        .map(drop)
    }
}
