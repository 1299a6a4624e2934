-- Events: what happened to images, in one order for all who listen, kept for `retention.events_hours`.
--
-- Every change appends to event_outbox, in the transaction that makes it true. Transactions do not commit in the order in
-- which they drew their ids: whoever read the outbox by id would pass over a row that appears later with a smaller one. So
-- one process at a time moves what has been committed from the outbox to events, and numbers it there. No event can appear
-- below one that has been seen, and who knows the last id that it has seen can go on from there, at any replica.

-- As in V3: all locks at once, and asked for again and again, so that nobody waits in line behind us. Each time for longer
-- than `deadlock_timeout` (a second), after which an autovacuum gives way. Reading goes on. A process of the version before
-- fills the outbox without knowing; it is moved as soon as one of this version runs.
do $$
begin
    perform set_config('lock_timeout', '1200ms', true);
    loop
        begin
            lock table images, stage_runs in share row exclusive mode;
            exit;
        exception when lock_not_available then
            perform pg_sleep(0.1 + random() / 2);
        end;
    end loop;
    perform set_config('lock_timeout', '0', true);
end
$$;

-- No foreign keys: the event that an image was deleted outlives it. The primary key is the order of moving.
create table event_outbox (
    id            bigint           generated always as identity primary key,
    image_id      bigint           not null,
    kind          text             not null check (kind in ('status', 'stage', 'deleted')),
    -- The first event of an image: with it, all that happened to the image is there.
    is_upload     boolean          not null default false,
    -- The same moment as in the row that changed: both are the time of the transaction.
    at            timestamptz      not null default now(),
    original_name text,
    stage         text,
    status        text,
    attempt       integer,
    queue_ms      double precision,
    run_ms        double precision,
    error_code    text,
    error         text
);
-- It is emptied all the time, and read from its head.
alter table event_outbox set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
-- Who subscribes to an image right after its upload is there before the event is.
create index event_outbox_uploads on event_outbox (image_id) where is_upload;

create table events (
    -- Without a gap, from 1.
    id            bigint           primary key,
    image_id      bigint           not null,
    kind          text             not null,
    is_upload     boolean          not null,
    at            timestamptz      not null,
    -- Null once the image is deleted, as `error` is.
    original_name text,
    stage         text,
    status        text,
    attempt       integer,
    queue_ms      double precision,
    run_ms        double precision,
    error_code    text,
    error         text,
    -- Ascends with the id, so that what is forgotten is always the beginning. It also tells an event from another one that
    -- an older copy of the database has given the same id.
    numbered_at   timestamptz      not null default clock_timestamp(),
    check (case kind
        when 'status' then status is not null
        when 'stage' then stage is not null and status is not null and attempt is not null
                      and queue_ms is not null and run_ms is not null
        else kind = 'deleted'
    end)
);
-- They are forgotten all the time, in the order of their ids.
alter table events set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
-- The events of an image.
create index events_of_image on events (image_id, id);

-- How far events go, in one row.
create table event_log (
    only_one  boolean primary key default true check (only_one),
    -- The newest id that was given, also if that event has been forgotten.
    newest    bigint  not null default 0,
    -- The newest id that was forgotten.
    forgotten bigint  not null default 0,
    check (forgotten between 0 and newest)
);
insert into event_log default values;

create function note_image() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        insert into event_outbox (image_id, kind) values (old.id, 'deleted');
    else
        insert into event_outbox (image_id, kind, is_upload, original_name, status, error_code, error)
        values (new.id, 'status', tg_op = 'INSERT', new.original_name, new.status, new.error_code, new.error);
    end if;
    return null;
end
$$;
-- At the end of the transaction, so that the stages that led to a status come before it, in whichever order the parts of a
-- statement are run.
create constraint trigger note_image_by_row after insert or delete on images
    deferrable initially deferred for each row execute function note_image();
create constraint trigger note_image_by_status after update on images
    deferrable initially deferred for each row when (old.status is distinct from new.status) execute function note_image();

-- What failed and is queued again waits. The job was put back by the same statement, which has ended when this runs.
create function note_stage_runs() returns trigger language plpgsql as $$
begin
    insert into event_outbox (image_id, kind, stage, status, attempt, queue_ms, run_ms, error_code, error)
    select made.image_id, 'stage', made.stage,
           case when made.error is null then 'success' when jobs.state = 'queued' then 'waiting' else 'failed' end,
           made.attempt, made.queue_ms, made.run_ms, made.error_code, made.error
    from made join jobs on jobs.id = made.job_id
    order by made.id;
    return null;
end
$$;
create trigger note_stage_runs after insert on stage_runs
    referencing new table as made for each statement execute function note_stage_runs();

-- Numbers the oldest `at_most` events that wait in the outbox, and wakes those who read them. The answer is how many; none if
-- another process is numbering, which will be told of what it does not see yet. A function, so that no client can stop in
-- its midst with the lock in hand. Without statistics a planner would rather read and sort a whole backlog than begin to
-- walk the index.
create function number_events(at_most integer) returns integer language plpgsql set enable_sort = off as $$
declare
    last    bigint;
    moved   integer;
    deleted bigint[];
begin
    -- No lock of a row: taking that is a write, which would go to the disk each time that nothing waits.
    if not pg_try_advisory_xact_lock(hashtext('number_events')) then return 0; end if;
    -- A statement after the lock sees what the one before us has left. The events of an image wait in the order of their
    -- transactions, since each of these locks the image before it appends.
    select newest into last from event_log;
    with taken as (
        delete from event_outbox where id in (select id from event_outbox order by id limit at_most) returning *
    ), numbered as (
        insert into events
            (id, image_id, kind, is_upload, at, original_name, stage, status, attempt, queue_ms, run_ms, error_code, error)
        select last + row_number() over (order by id),
               image_id, kind, is_upload, at, original_name, stage, status, attempt, queue_ms, run_ms, error_code, error
        from taken
        returning image_id, kind
    )
    select count(*), array_agg(image_id) filter (where kind = 'deleted') into moved, deleted from numbered;
    if deleted is not null then
        -- The client's words go with the image: its name for it, and what an error quotes.
        update events set original_name = null, error = null
        where image_id = any (deleted) and (original_name is not null or error is not null);
    end if;
    if moved > 0 then
        update event_log set newest = last + moved;
        perform pg_notify('darkroom_events', '');
    end if;
    return moved;
end
$$;
