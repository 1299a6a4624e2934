-- Captions as records: each that an image had, and who made it; the calls that were made for them; and how each provider
-- fares, so that what one worker learns, all know.

-- The locks of a migration, each statement of which says which: all at once and before all else, so that no two processes wait
-- in a circle; and asked for again rather than waited for, so that nobody waits in line behind us and a backup. Each time for
-- longer than `deadlock_timeout` (a second), after which an autovacuum gives way. For later migrations too.
create function lock_at_once(locks text) returns void language plpgsql set lock_timeout = '1200ms' as $$
begin
    loop
        begin
            execute locks;
            return;
        exception when lock_not_available then
            perform pg_sleep(0.1 + random() / 2);
        end;
    end loop;
end
$$;

-- For the foreign keys and the column. It takes a moment, in which images can be listed.
select lock_at_once('lock table images in share row exclusive mode; lock table jobs in access exclusive mode');

-- Which model a caption job asks, where somebody chose one.
alter table jobs add column caption_model text;

-- `images.caption` is the text of the newest that counts: a person's before a model's. A process of the version before writes
-- only there.
create table captions (
    id                bigint      generated always as identity primary key,
    image_id          bigint      not null references images on delete cascade,
    source            text        not null check (source in ('ai', 'human')),
    text              text        not null check (text <> ''),
    created_at        timestamptz not null default now(),
    -- When a person took back what a person had written.
    withdrawn_at      timestamptz,
    -- Of a model's: who was asked about which picture, what, and how. Without a call it was taken over from an identical one.
    provider          text,
    model             text,
    prompt_version    text,
    sha256            bytea,
    language          text,
    call_id           bigint,
    run_ms            double precision,
    prompt_tokens     integer,
    completion_tokens integer,
    check ((source = 'ai') = (provider is not null and model is not null and prompt_version is not null)),
    check (source = 'human' or withdrawn_at is null),
    check (call_id is null or run_ms is not null)
);
-- The captions of an image, newest first.
create index captions_of_image on captions (image_id, id desc);
-- What is known of identical pictures.
create index captions_by_question on captions (sha256, model, prompt_version) where source = 'ai';

-- The caption that counts; null if there is no record. Volatile, so that it sees what was committed while the statement that
-- calls it waited for the image.
create function current_caption(image bigint) returns text language plpgsql volatile as $$
begin
    return (select text from captions where image_id = image and withdrawn_at is null
            order by source = 'human' desc, id desc limit 1);
end
$$;

-- Whoever writes `images.caption`, a process of the version before among them: the record decides, and what was ready before
-- its caption was stays ready since then.
create function record_decides() returns trigger language plpgsql as $$
begin
    new.caption := coalesce(current_caption(new.id), new.caption);
    if old.status = new.status and new.status <> 'processing' then new.completed_at := old.completed_at; end if;
    return new;
end
$$;
create trigger record_decides before update of caption on images for each row execute function record_decides();

-- Every call, from before it is made, for as long as its job is remembered.
create table caption_calls (
    id             bigint      generated always as identity primary key,
    job_id         bigint      not null references jobs on delete cascade,
    -- By which its breaker and its budget are known, in caption_providers.
    endpoint       text        not null,
    provider       text        not null,
    model          text        not null,
    prompt_version text        not null,
    sha256         bytea       not null,
    begun_at       timestamptz not null default now(),
    -- When a call without an end is given up for lost, with its worker.
    lapses_at      timestamptz not null,
    ended_at       timestamptz,
    -- Null if its worker vanished: then nobody knows whether the call was made.
    attempt        integer,
    run_ms         double precision,
    error_code     text,
    error          text,
    check (ended_at is not null or attempt is null),
    check ((ended_at is null) = (run_ms is null)),
    check ((error is null) = (error_code is null))
);
-- One call at a time asks one model one thing about one picture: who comes second waits for what comes of it.
create unique index caption_calls_under_way on caption_calls (sha256, model, prompt_version) where ended_at is null;
-- They go with their job.
create index caption_calls_of_job on caption_calls (job_id);

-- The circuit breaker and the budget of each provider; a row that is missing is one that has never been asked.
create table caption_providers (
    name        text        primary key,
    -- In a row, up to now.
    failures    integer     not null default 0 check (failures >= 0),
    -- Not to be asked before, and why. While somebody tries whether it answers again: until that must have ended.
    open_until  timestamptz,
    -- When that was said. Calls that had begun before say nothing new.
    opened_at   timestamptz,
    -- Since when it has not answered.
    failing_since timestamptz,
    error_code  text,
    error       text,
    -- When the budget of a minute permits the next call.
    next_at     timestamptz not null default now(),
    -- The budget of a day, in UTC.
    day         date        not null default (now() at time zone 'utc')::date,
    day_calls   integer     not null default 0 check (day_calls >= 0)
);
