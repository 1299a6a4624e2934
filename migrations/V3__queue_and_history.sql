-- What a million images, a long backlog and years of history need. At a million images this takes some seconds, in which
-- uploads wait.
--
-- What is kept how long:
--   images, thumbnails  as long as the image
--   jobs, stage_runs    the newest job of each kind and its runs as long as the image; jobs that a retry has superseded
--                       until they are `retention.history_days` old. The counts are history and stay
--   idempotency_keys    24 hours
--   tally_deltas        until the relay has folded them into tallies, a few seconds
--   announced           `announced_at` stays in the job; nothing grows with it

-- All locks at once and before all else: a process of the version before that holds one of these tables and wants the next,
-- while this holds the next and wants the first, would be a circle. Asked for again and again rather than waited for: whoever
-- waits in line behind a backup keeps everybody else waiting behind itself. (Relays of that version, as long as some run, read
-- all that waits to find what is due; they are right and slower.)
do $$
begin
    perform set_config('lock_timeout', '500ms', true);
    loop
        begin
            lock table images, thumbnails, jobs, stage_runs in access exclusive mode;
            exit;
        exception when lock_not_available then
            perform pg_sleep(0.1 + random() / 2);
        end;
    end loop;
    perform set_config('lock_timeout', '0', true);
end
$$;

-- The list filtered by status. Both columns run the same way, so that a comparison of rows can say where a page begins and
-- the planner has no other way to its order; it used to walk the primary key over a whole backlog to find a page of
-- `success`, or over the whole table in search of `failed`.
create index images_by_status_and_id on images (status, id);
drop index images_by_status;

-- The relay announces each kind by itself, so that one whose queue does not answer is not in the way of the other. An index
-- for each kind, in which the order of announcing is the only order: no planner can find another way to it.
create index jobs_to_announce_image on jobs (announce_at)
    where kind = 'image' and state = 'queued' and announce_at is not null;
create index jobs_to_announce_caption on jobs (announce_at)
    where kind = 'caption' and state = 'queued' and announce_at is not null;
drop index jobs_to_announce;

-- The running jobs are as many as the workers can hold, so the reaper may look at all of them. Without `lease_until` in an
-- index, a renewal touches no index at all. The newest announcement that runs is one look-up.
create index jobs_running on jobs (kind, announced_at) where state = 'running';
drop index jobs_leased;

-- The newest run of each stage of an image, in the order in which it is asked for.
create index stage_runs_of_image_by_stage on stage_runs (image_id, stage, id desc);
drop index stage_runs_of_image;

-- Set when a retry has put another job in its place.
alter table jobs add column superseded boolean not null default false;
update jobs set superseded = true
where state in ('succeeded', 'failed')
  and exists (select 1 from jobs newer where newer.image_id = jobs.image_id and newer.kind = jobs.kind and newer.id > jobs.id);
create index jobs_superseded on jobs (finished_at) where superseded;

-- Whoever reopens an image makes history of the job that ended before; so no way to do it can forget that.
create function supersede_jobs() returns trigger language plpgsql as $$
begin
    update jobs set superseded = true
    where image_id = new.id and kind = case old.status when 'failed' then 'image' else 'caption' end
      and finished_at is not null and not superseded;
    return null;
end
$$;
create trigger supersede_jobs_of_reopened after update on images
    for each row when (old.status <> 'processing' and new.status = 'processing') execute function supersede_jobs();

-- A queue turns over quickly in a big table: by the usual share of dead rows (a fifth) it would be cleaned far too seldom,
-- and the dead entries at the head of its small indexes would be skipped each time (`auto`), since they are few for the table.
-- The room left in each page is for renewals.
alter table jobs set (fillfactor = 85, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
                      autovacuum_analyze_scale_factor = 0.02, vacuum_index_cleanup = on);

-- Fewer deltas for the same counts: a change of status writes only what it changes, and what is inserted together is
-- counted together. In plpgsql, since it keeps the plans of its statements.
create or replace function tally_images() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        insert into tally_deltas (name, n)
        values ('images', 1), ('images.' || new.status, 1), ('bytes', new.size_bytes);
    elsif tg_op = 'UPDATE' then
        insert into tally_deltas (name, n)
        select name, n
        from (values ('images.' || old.status, -1), ('images.' || new.status, 1),
                     ('microseconds', processing_microseconds(new) - processing_microseconds(old)),
                     ('failures.' || old.error_code, -1), ('failures.' || new.error_code, 1)) as changed (name, n)
        where name is not null and n <> 0;
    else
        insert into tally_deltas (name, n)
        select name, n
        from (values ('images', -1), ('images.' || old.status, -1), ('bytes', -old.size_bytes),
                     ('microseconds', -processing_microseconds(old)), ('failures.' || old.error_code, -1)) as gone (name, n)
        where name is not null and n <> 0;
    end if;
    return null;
end
$$;

create function processing_microseconds(image images) returns bigint immutable language plpgsql as $$
begin
    return case when image.status = 'success'
        then (extract(epoch from image.completed_at - image.created_at) * 1000000)::bigint else 0 end;
end
$$;
drop function tally_image(images, integer);

drop trigger tally_thumbnails_by_row on thumbnails;
create or replace function tally_thumbnails() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        insert into tally_deltas (name, n) values ('bytes', -old.size_bytes);
    elsif new.size_bytes <> old.size_bytes then
        insert into tally_deltas (name, n) values ('bytes', new.size_bytes - old.size_bytes);
    end if;
    return null;
end
$$;
create trigger tally_thumbnails_by_row after update or delete on thumbnails
    for each row execute function tally_thumbnails();

create function tally_new_thumbnails() returns trigger language plpgsql as $$
begin
    insert into tally_deltas (name, n) select 'bytes', sum(size_bytes) from made having count(*) > 0;
    return null;
end
$$;
create trigger tally_new_thumbnails after insert on thumbnails
    referencing new table as made for each statement execute function tally_new_thumbnails();

drop trigger tally_stage_runs_by_row on stage_runs;
create or replace function tally_stage_runs() returns trigger language plpgsql as $$
begin
    insert into tally_deltas (name, n)
    select 'stages.' || stage || '.count', count(*) from made group by stage
    union all
    select 'stages.' || stage || '.failed', count(error) from made group by stage having count(error) > 0;
    return null;
end
$$;
create trigger tally_stage_runs after insert on stage_runs
    referencing new table as made for each statement execute function tally_stage_runs();
