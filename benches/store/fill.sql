-- Fills a fresh database with `darkroom.images` finished images and `darkroom.backlog` that wait, as years of use would
-- leave it: names, Exif fields, thumbnails, jobs, stages, kept counts. Row triggers are off meanwhile, so the counts are
-- made at the end.
--
-- The first half of the backlog is announced to the broker, the other half is due to be.
set session_replication_role = replica;

insert into images (original_name, format, sha256, size_bytes, original_key, status, created_at, completed_at, width, height,
                    taken_at, orientation, has_gps, exif, warnings, caption, error_code, error, camera)
select case
           when n % 100000 = 77 then 'axolotl ' || n || '.jpg'
           when n % 3 = 0 then 'IMG_' || lpad((n % 10000)::text, 4, '0') || '.JPG'
           when n % 3 = 1 then 'DSC' || lpad((n % 100000)::text, 5, '0') || '.jpg'
           else (array['Rome', 'Ærø', 'München', 'beach', 'garden'])[n % 5 + 1] || ' holiday ' || n % 2000 || '.jpeg'
       end,
       'jpg', sha256(n::text::bytea), 2000000 + n % 3000000,
       'originals/' || substr(md5(n::text), 1, 2) || '/' || md5(n::text) || '.jpg',
       status, made, case when status <> 'processing' then made + (1 + n % 7) * interval '0.3 seconds' end,
       case when status = 'success' then 4000 - n % 1000 end, case when status = 'success' then 3000 end,
       case when status = 'success' then made::timestamp - interval '3 days' end,
       case when status = 'success' then 1 end, case when status = 'success' then n % 4 = 0 end,
       case when status = 'success' then (
           select jsonb_object_agg('Field' || field, 'value ' || n * field % 9973) from generate_series(1, 40) as field) end,
       case when status = 'success' then '{}'::text[] end,
       case when status = 'success' and n % 3 = 0 then 'A photograph of something, taken on day ' || n end,
       case when status = 'failed' then 'corrupt' end, case when status = 'failed' then 'the data ends too early' end,
       case when status = 'success' then
           case when n % 10000 = 77 then 'Leica M6' else (array['Canon EOS 80D', 'NIKON D90', 'samsung SM-G991B'])[n % 3 + 1] end
       end
from (select n, case when n > total - backlog then 'processing' when n % 200 = 0 then 'failed' else 'success' end as status,
             now() - (total - n) * interval '4 seconds' - interval '2 minutes' as made
      from (select current_setting('darkroom.images')::bigint + current_setting('darkroom.backlog')::bigint as total,
                   current_setting('darkroom.backlog')::bigint as backlog) as size,
           generate_series(1, total) as n) as image;

insert into thumbnails (image_id, size, file_key, media_type, width, height, size_bytes)
select id, size, 'thumbnails/' || substr(original_key, 11, 35) || '-' || id || '-1-' || size || '.jpg', 'image/jpeg',
       side, side * 3 / 4, side * 60
from images, (values ('small', 128), ('medium', 512)) as made (size, side) where status = 'success';

-- Nine of ten look like nothing else, the tenths in clusters of a hundred.
insert into perceptual_hashes (image_id, hash)
select id, case when id % 10 = 0
           then ('x' || substr(md5((id / 1000)::text), 1, 16))::bit(64)::bigint # (1::bigint << (id / 10 % 64)::integer)
           else ('x' || substr(md5('look ' || id), 1, 16))::bit(64)::bigint end
from images where status = 'success';

-- Three of ten were edited, as where people send what they are proud of; data after the end is rare.
insert into findings (image_id, code, sentence, evidence)
select id, case when id % 5000 = 50 then 'data_after_end' else 'edited_with' end, 'The file says something.', '{"bytes": "7"}'
from images where status = 'success' and id % 10 in (0, 3, 6);

-- The jobs of an image right after it, as time would have it.
insert into jobs (image_id, kind, state, attempt, created_at, due_at, announce_at, announced_at, claimed_by, claimed_at,
                  finished_at, error_code, error)
select i.id, kind,
       case i.status when 'processing' then 'queued' when 'failed' then 'failed' else 'succeeded' end,
       case when i.status = 'processing' then 0 else 1 end, i.created_at, i.created_at,
       case when i.status = 'processing' and i.id % 2 = 0 then i.created_at end,
       case when i.status <> 'processing' or i.id % 2 = 1 then i.created_at + interval '10 milliseconds' end,
       case when i.status <> 'processing' then i.id end,
       case when i.status <> 'processing' then i.created_at + interval '20 milliseconds' end,
       i.completed_at, i.error_code, i.error
from images i, (values ('image'), ('caption')) as asked (kind)
where kind = 'image' or i.caption is not null
order by i.id, kind desc;

insert into stage_runs (image_id, job_id, attempt, stage, queue_ms, run_ms, error_code, error, finished_at)
select j.image_id, j.id, j.attempt, stage, 10 + j.id % 50, 1 + j.id % 90,
       case when stage <> 'metadata' then j.error_code end, case when stage <> 'metadata' then j.error end, j.finished_at
from jobs j, (values ('image', 'metadata'), ('image', 'thumbnails'), ('caption', 'caption')) as made (kind, stage)
where j.kind = made.kind and j.state <> 'queued'
order by j.id, stage;

insert into idempotency_keys (key, image_id, sha256, created_at)
select 'order-' || id, id, sha256, created_at from images
where created_at > now() - interval '23 hours' and id % 2 = 0;

insert into tallies (name, n)
select 'images', count(*) from images
union all select 'images.' || status, count(*) from images group by status
union all select 'bytes', (select sum(size_bytes) from images) + coalesce((select sum(size_bytes) from thumbnails), 0)
union all select 'microseconds', coalesce(sum((extract(epoch from completed_at - created_at) * 1000000)::bigint), 0)
          from images where status = 'success'
union all select 'failures.' || error_code, count(*) from images where status = 'failed' group by error_code
union all select 'queued', count(*) from jobs where state = 'queued'
union all select 'stages.' || stage || '.count', count(*) from stage_runs group by stage
union all select 'stages.' || stage || '.failed', count(error) from stage_runs group by stage;

set session_replication_role = default;
