-- Images, their thumbnails, the jobs that make them, and what each stage of each attempt took.

-- Which installation this is. The volume bears the same id: a sweep with another database, which names none of the files,
-- would remove every photo.
create table installation (
    id       uuid    primary key default gen_random_uuid(),
    only_one boolean not null unique default true check (only_one)
);
insert into installation default values;

create table images (
    id            bigint generated always as identity primary key,
    original_name text        not null,
    format        text        not null check (format in ('jpg', 'png')),
    sha256        bytea       not null check (octet_length(sha256) = 32),
    size_bytes    bigint      not null check (size_bytes > 0),
    original_key  text        not null unique,
    status        text        not null default 'processing' check (status in ('processing', 'success', 'failed')),
    created_at    timestamptz not null default now(),
    completed_at  timestamptz,
    -- Set together by the image job; width and height as displayed.
    width         integer,
    height        integer,
    taken_at      timestamp,
    orientation   smallint check (orientation between 1 and 8),
    has_gps       boolean,
    exif          jsonb,
    warnings      text[],
    caption       text,
    error_code    text,
    error         text,

    check ((status = 'processing') = (completed_at is null)),
    check ((status = 'failed') = (error is not null)),
    check ((error is null) = (error_code is null)),
    check (status <> 'success' or (width is not null and height is not null and exif is not null))
);

-- The list filtered by status, newest first; the list of all is served by the primary key.
create index images_by_status on images (status, id desc);
-- "Do you have this file already?"
create index images_by_sha256 on images (sha256, id desc);
-- How many were finished in the last minute.
create index images_by_completion on images (completed_at) where completed_at is not null;

create table thumbnails (
    image_id   bigint not null references images on delete cascade,
    size       text   not null check (size in ('small', 'medium')),
    file_key   text   not null unique,
    media_type text   not null check (media_type in ('image/jpeg', 'image/png')),
    width      integer not null check (width > 0),
    height     integer not null check (height > 0),
    size_bytes bigint not null check (size_bytes > 0),
    primary key (image_id, size)
);

create table jobs (
    id           bigint generated always as identity primary key,
    image_id     bigint      not null references images on delete cascade,
    kind         text        not null check (kind in ('image', 'caption')),
    state        text        not null default 'queued' check (state in ('queued', 'running', 'succeeded', 'failed')),
    -- Counted at claim, and the fence of every later write.
    attempt      integer     not null default 0 check (attempt >= 0),
    created_at   timestamptz not null default now(),
    -- Not to be run before; a retry sets it to the end of its backoff. Waiting time is counted from here.
    due_at       timestamptz not null default now(),
    -- When to announce it to the broker next; null means that the broker has confirmed it. While a relay is publishing,
    -- this is the end of the relay's own short lease, so that a relay that dies delays a job and never loses it.
    announce_at  timestamptz default now(),
    announced_at timestamptz,
    -- A random number of the worker's, by which it knows its own claim again if the answer to it was lost.
    claimed_by   bigint,
    claimed_at   timestamptz,
    lease_until  timestamptz,
    finished_at  timestamptz,
    error_code   text,
    error        text,

    check ((state = 'running') = (lease_until is not null)),
    check ((state in ('succeeded', 'failed')) = (finished_at is not null)),
    check (state = 'queued' or announce_at is null)
);

-- One live job of a kind per image: a doubled retry finds the first one.
create unique index jobs_alive on jobs (image_id, kind) where state in ('queued', 'running');
-- All jobs of an image, the newest of each kind first: the details of an image.
create index jobs_of_image on jobs (image_id, kind, id desc);
-- The relay: what is due to be announced.
create index jobs_to_announce on jobs (announce_at) where state = 'queued' and announce_at is not null;
-- The reaper: what was announced and never claimed.
create index jobs_announced on jobs (kind, announced_at) where state = 'queued' and announce_at is null;
-- The reaper: whose lease ran out.
create index jobs_leased on jobs (lease_until) where state = 'running';
-- The age of the oldest waiting job.
create index jobs_waiting on jobs (due_at) where state = 'queued';

-- Every stage of every attempt, for the details of an image and for the percentiles of the statistics.
create table stage_runs (
    id          bigint generated always as identity primary key,
    image_id    bigint      not null references images on delete cascade,
    job_id      bigint      not null references jobs on delete cascade,
    attempt     integer     not null,
    stage       text        not null check (stage in ('metadata', 'thumbnails', 'caption')),
    queue_ms    double precision not null check (queue_ms >= 0),
    run_ms      double precision not null check (run_ms >= 0),
    error_code  text,
    error       text,
    finished_at timestamptz not null default now(),
    check ((error is null) = (error_code is null)),
    unique (job_id, attempt, stage)
);
create index stage_runs_of_image on stage_runs (image_id);
-- The last thousand runs of a stage.
create index stage_runs_by_stage on stage_runs (stage, id desc);

-- An Idempotency-Key and the upload it stood for; removed after 24 hours.
create table idempotency_keys (
    key        text        primary key,
    image_id   bigint      not null references images on delete cascade,
    sha256     bytea       not null,
    created_at timestamptz not null default now()
);
create index idempotency_keys_by_age on idempotency_keys (created_at);
create index idempotency_keys_of_image on idempotency_keys (image_id);
