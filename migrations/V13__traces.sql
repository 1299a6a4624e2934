-- Which trace a job belongs to (W3C Trace Context), where traces are collected: a job outlives the process that asked for it,
-- and what RabbitMQ carries may be lost. A process of the version before knows nothing of this: its jobs belong to no trace.

-- For the columns. It takes a moment.
select lock_at_once('lock table jobs in access exclusive mode');

-- Null for no trace, or one that nobody records. Not looked through, since what is there has none.
-- fits since 0.0.0: both columns are new, and the last release leaves them null
alter table jobs
    add column traceparent text,
    add column tracestate text,
    add constraint jobs_trace_check check (length(traceparent) = 55 and length(tracestate) <= 512) not valid;

-- As in V8; and a call belongs to the trace of what ended the image: the job that ended last.
create or replace function tell_of_image() returns trigger language plpgsql as $$
declare
    event bigint;
    maker jobs;
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
    select * into maker from jobs where image_id = new.id and kind <> 'webhook' and finished_at is not null
    order by finished_at desc limit 1;
    insert into jobs (image_id, kind, event_id, traceparent, tracestate)
    values (new.id, 'webhook', event, maker.traceparent, maker.tracestate);
    perform pg_notify('darkroom_jobs', 'webhook');
    return null;
end
$$;
