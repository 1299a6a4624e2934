-- An index for the search in names: without one, a name that is rare is looked for in the whole table. It needs the
-- extension pg_trgm, which comes with PostgreSQL but is missing in some small installations; then the search works without
-- it, slower, and says so when it takes too long. At a million images this takes some seconds, in which uploads wait; who
-- cannot have that makes the index beforehand with `create index concurrently`.
do $$
begin
    create extension if not exists pg_trgm;
    create index if not exists images_by_name on images using gin (original_name gin_trgm_ops);
exception when undefined_file or feature_not_supported or insufficient_privilege or undefined_object then
    raise warning 'no index for the search in names: %. See "Searching in names" in the README', sqlerrm;
end
$$;
