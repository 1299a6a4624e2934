-- Kept counts, so that the statistics of a million images cost as much as those of one.
--
-- Every change of a row appends what it changed to tally_deltas, in the same transaction: appending takes no lock that
-- another transaction could wait for. The relay folds the deltas into tallies from time to time; the view adds up both.

create table tallies (
    name text   primary key,
    n    bigint not null
);

create table tally_deltas (
    id   bigint generated always as identity primary key,
    name text   not null,
    n    bigint not null
);

create view tally_totals as
    select name, sum(n)::bigint as n
    from (select name, n from tallies union all select name, n from tally_deltas) as counted
    group by name;

-- What one image adds to the counts.
create function tally_image(image images, sign integer) returns void language sql as $$
    insert into tally_deltas (name, n)
    select name, sign * n
    from (values
        ('images', 1),
        ('images.' || image.status, 1),
        ('bytes', image.size_bytes),
        ('microseconds', case when image.status = 'success'
            then (extract(epoch from image.completed_at - image.created_at) * 1000000)::bigint else 0 end),
        ('failures.' || image.error_code, 1)
    ) as counted (name, n)
    where name is not null and n <> 0
$$;

create function tally_images() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then perform tally_image(old, -1); end if;
    if tg_op <> 'DELETE' then perform tally_image(new, 1); end if;
    return null;
end
$$;

create trigger tally_images_by_row after insert or delete on images
    for each row execute function tally_images();
-- A caption or metadata that appear while the status stays change no count.
create trigger tally_images_by_status after update on images
    for each row when (old.status is distinct from new.status) execute function tally_images();

create function tally_jobs() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' and old.state = 'queued' then
        insert into tally_deltas (name, n) values ('queued', -1);
    end if;
    if tg_op <> 'DELETE' and new.state = 'queued' then
        insert into tally_deltas (name, n) values ('queued', 1);
    end if;
    return null;
end
$$;

create trigger tally_jobs_by_row after insert or delete on jobs
    for each row execute function tally_jobs();
create trigger tally_jobs_by_state after update on jobs
    for each row when (old.state is distinct from new.state) execute function tally_jobs();

create function tally_thumbnails() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        insert into tally_deltas (name, n) values ('bytes', new.size_bytes);
    else
        insert into tally_deltas (name, n) values ('bytes', -old.size_bytes);
    end if;
    return null;
end
$$;

create trigger tally_thumbnails_by_row after insert or delete on thumbnails
    for each row execute function tally_thumbnails();

-- Runs are history: they count even after their image is gone.
create function tally_stage_runs() returns trigger language plpgsql as $$
begin
    insert into tally_deltas (name, n)
    select name, 1
    from (values ('stages.' || new.stage || '.count', true),
                 ('stages.' || new.stage || '.failed', new.error is not null)) as counted (name, counts)
    where counts;
    return null;
end
$$;

create trigger tally_stage_runs_by_row after insert on stage_runs
    for each row execute function tally_stage_runs();
