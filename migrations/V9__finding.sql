-- Finding images: by when and with what they were taken, by size, in any order; what looks alike; what is odd about a file.
--
-- The indexes take ten to thirty seconds at a million images, in which uploads and workers wait and reading goes on. Those on
-- columns of earlier versions may be there already: see "Finding images" in the README for how to make them beforehand. What
-- older rows lack, `darkroom --fill-in` makes up for once no process of an earlier version is left.

-- As in V3 and V5: at once, before all else, asked for again rather than waited for; and no stronger lock later on.
do $$
begin
    perform set_config('lock_timeout', '500ms', true);
    loop
        begin
            lock table images in share row exclusive mode;
            exit;
        exception when lock_not_available then
            perform pg_sleep(0.1 + random() / 2);
        end;
    end loop;
    perform set_config('lock_timeout', '0', true);
end
$$;

-- Each order of the list has an index of its own, with the id behind it, so that a comparison of rows can say where a page
-- begins. What has no capture time or size stands at one end, where it is found by the same index. The same indexes tell
-- quickly whether only few images lie in a range.
create index if not exists images_by_taken on images (taken_at, id);
create index if not exists images_by_pixels on images ((width::bigint * height), id);
create index if not exists images_by_bytes on images (size_bytes, id);
-- In small letters, by the locale of the database; these byte by byte, an order that no update of locales can change.
create index if not exists images_by_name_in_order on images ((lower(original_name) collate "C"), id);

-- The list filtered by what has few values; of the rows that have not been looked at there is nothing to find.
create index if not exists images_by_format_and_id on images (format, id);
create index if not exists images_by_gps_and_id on images (has_gps, id) where has_gps is not null;

-- As in V4.
do $$
begin
    create extension if not exists pg_trgm;
    create index if not exists images_by_camera on images using gin (camera gin_trgm_ops) where camera is not null;
exception when undefined_file or feature_not_supported or insufficient_privilege or undefined_object then
    raise warning 'no index for the search in cameras: %. See "Searching in names" in the README', sqlerrm;
end
$$;

-- What a picture looks like, in 64 bits. Beside the images and not among their columns, because a row of `images` is
-- written anew with every change of status, and each of these indexes with it; and because a search meets many hashes, and
-- fifty of these rows fit where one or two of those do.
create table perceptual_hashes (
    image_id bigint primary key references images on delete cascade,
    hash     bigint not null
);

-- Multi-index hashing (Norouzi, Punjani, Fleet 2012): two hashes that differ in few bits differ in fewer in at least one of
-- four blocks of 16. All that a search needs is in the index.
create index perceptual_hashes_block_1 on perceptual_hashes (((hash >> 48) & 65535)) include (hash, image_id);
create index perceptual_hashes_block_2 on perceptual_hashes (((hash >> 32) & 65535)) include (hash, image_id);
create index perceptual_hashes_block_3 on perceptual_hashes (((hash >> 16) & 65535)) include (hash, image_id);
create index perceptual_hashes_block_4 on perceptual_hashes ((hash & 65535)) include (hash, image_id);

-- What is odd about a file; at most one of a kind for an image, and most images have none.
create table findings (
    image_id bigint not null references images on delete cascade,
    code     text   not null check (code in ('thumbnail_differs', 'edited_with', 'dates_disagree', 'dimensions_disagree',
                                             'data_after_end', 'name_contradicts_content')),
    sentence text   not null check (octet_length(sentence) <= 4000),
    evidence jsonb  not null check (jsonb_typeof(evidence) = 'object' and pg_column_size(evidence) <= 16384),
    primary key (image_id, code)
);
-- The list filtered by a code.
create index findings_by_code on findings (code, image_id);
