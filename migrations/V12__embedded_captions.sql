-- What a file says of its picture, in its Exif, IPTC or XMP data, is a caption too: the last to count.

select lock_at_once('lock table captions in access exclusive mode');

-- Not looked through: what stands there keeps the narrower rule.
alter table captions
    drop constraint captions_source_check,
    add constraint captions_source_check check (source in ('ai', 'human', 'embedded')) not valid;

-- The record that counts: a person's before a model's before the file's, and of these the newest. Volatile for the reason
-- that V10 names.
create function current_caption_record(image bigint) returns captions language plpgsql volatile as $$
declare
    current captions;
begin
    select * into current from captions where image_id = image and withdrawn_at is null
    order by array_position(array['human', 'ai', 'embedded'], source), id desc limit 1;
    return current;
end
$$;

create or replace function current_caption(image bigint) returns text language plpgsql volatile as $$
begin
    return (current_caption_record(image)).text;
end
$$;
