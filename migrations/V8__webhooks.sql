-- Webhooks: how an image ended is told by a call to a URL, as a job of a kind of its own.
--
-- Processes of the version before go on beside this: they neither take such jobs nor forget them. What they do not know:
--   API     a `callback_url` in an upload is passed over without a word, like every field but `file`. `oldest_waiting_seconds`
--           counts calls too
--   reaper  a call whose worker vanished is queued again, as it should be, but not logged as lost; in its last attempt it is
--           left. Either way the reaper complains that it does not know the kind, and leaves the other jobs of that moment that
--           lost their last worker to a reaper of this version
-- At a million images this takes some seconds, in which uploads wait.

-- All locks at once, asked for again and again: see V3.
do $$
begin
    perform set_config('lock_timeout', '500ms', true);
    loop
        begin
            lock table images, jobs in access exclusive mode;
            exit;
        exception when lock_not_available then
            perform pg_sleep(0.1 + random() / 2);
        end;
    end loop;
    perform set_config('lock_timeout', '0', true);
end
$$;

-- Who is told; settled at upload, so that a change of the settings changes nothing for what was uploaded before.
alter table images add column callback_url text;

-- What is told: once for each time that an image ends.
create table webhook_events (
    id         bigint generated always as identity primary key,
    -- By which the receiver knows a repeated call (`webhook-id` of the Standard Webhooks specification).
    message_id text        not null default 'msg_' || replace(gen_random_uuid()::text, '-', ''),
    image_id   bigint      not null references images on delete cascade,
    type       text        not null check (type in ('image.success', 'image.failed')),
    url        text        not null,
    -- What was true when the image ended; sent byte for byte, since it is signed.
    body       text        not null,
    created_at timestamptz not null default now()
);
-- Found by their image when it is deleted.
create index webhook_events_of_image on webhook_events (image_id);
-- Retention: the oldest first.
create index webhook_events_by_age on webhook_events (created_at);

-- A job of this kind delivers one event; a replay is another job for the same event.
alter table jobs
    add column event_id bigint references webhook_events on delete cascade,
    drop constraint jobs_kind_check,
    add constraint jobs_kind_check check (kind in ('image', 'caption', 'webhook')),
    add constraint jobs_event_check check ((kind = 'webhook') = (event_id is not null));

-- One live job of a kind per image, as before; but an image that is retried while its first event is still being delivered
-- has two events under way. Of each event there is one.
create unique index jobs_alive_by_image on jobs (image_id, kind)
    where state in ('queued', 'running') and kind <> 'webhook';
create unique index jobs_alive_by_event on jobs (event_id) where state in ('queued', 'running') and kind = 'webhook';
drop index jobs_alive;
-- The jobs of an event: those that a replay leaves behind, and what goes with it.
create index jobs_of_event on jobs (event_id, id desc) where event_id is not null;
-- The relay: what is due to be announced; see V3.
create index jobs_to_announce_webhook on jobs (announce_at)
    where kind = 'webhook' and state = 'queued' and announce_at is not null;
-- The age of the oldest image or caption that waits. Calls wait for hours where a receiver is away, and say nothing about
-- whether the workers keep up. (`jobs_waiting`, which holds them all, stays for the version before; the next migration that
-- locks this table may drop it.)
create index jobs_waiting_to_be_made on jobs (due_at) where state = 'queued' and kind <> 'webhook';

-- Every call, for whoever wonders why nothing came. It belongs to its job and names nothing else, so that the write that ends
-- an attempt waits for no other row.
create table webhook_attempts (
    job_id      bigint      not null references jobs on delete cascade,
    attempt     integer     not null,
    -- Of the answer; null if there was none.
    http_status integer,
    -- How the body of the answer begins.
    answer      text,
    error_code  text,
    error       text,
    queue_ms    double precision not null check (queue_ms >= 0),
    run_ms      double precision not null check (run_ms >= 0),
    finished_at timestamptz not null default now(),
    check ((error is null) = (error_code is null)),
    primary key (job_id, attempt)
);

-- RFC 3339, as the API writes times.
create function rfc3339(moment timestamptz) returns text immutable language sql as $$
    select to_char(moment at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

-- Whoever ends an image, in whichever way, tells of it in the same transaction; so no ending can forget it. The names and
-- texts of a row are bounded, except for a caption; with it cut, a body stays below 20,000 bytes.
create function tell_of_image() returns trigger language plpgsql as $$
declare
    event bigint;
begin
    insert into webhook_events (image_id, type, url, body)
    values (new.id, 'image.' || new.status, new.callback_url, json_build_object(
        'type', 'image.' || new.status,
        'timestamp', rfc3339(now()),
        'data', json_build_object(
            'image_id', new.id, 'original_name', new.original_name, 'status', new.status,
            'sha256', encode(new.sha256, 'hex'), 'format', new.format, 'size_bytes', new.size_bytes,
            'width', new.width, 'height', new.height, 'caption', left(new.caption, 2000),
            'error', new.error, 'error_code', new.error_code,
            'created_at', rfc3339(new.created_at), 'completed_at', rfc3339(new.completed_at)))::text)
    returning id into event;
    insert into jobs (image_id, kind, event_id) values (new.id, 'webhook', event);
    perform pg_notify('darkroom_jobs', 'webhook');
    return null;
end
$$;
create trigger tell_of_image_that_ended after update on images
    for each row when (old.status = 'processing' and new.status <> 'processing' and new.callback_url is not null)
    execute function tell_of_image();

-- `queued` is what waits for a worker; webhooks are counted by themselves, by their state.
create or replace function tally_jobs() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' and (old.kind = 'webhook' or old.state = 'queued') then
        insert into tally_deltas (name, n)
        values (case old.kind when 'webhook' then 'webhooks.' || old.state else 'queued' end, -1);
    end if;
    if tg_op <> 'DELETE' and (new.kind = 'webhook' or new.state = 'queued') then
        insert into tally_deltas (name, n)
        values (case new.kind when 'webhook' then 'webhooks.' || new.state else 'queued' end, 1);
    end if;
    return null;
end
$$;
