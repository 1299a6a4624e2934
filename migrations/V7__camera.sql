-- What an image was taken with: make and model, as one name.
--
-- By itself, because a column takes the whole table for itself, if only for a moment: what takes longer and lets others read
-- is in V9. A column without a default, so that no row is rewritten; what older rows lack, `darkroom --fill-in` fills.

-- As in V3: asked for again rather than waited for.
do $$
begin
    perform set_config('lock_timeout', '500ms', true);
    loop
        begin
            lock table images in access exclusive mode;
            exit;
        exception when lock_not_available then
            perform pg_sleep(0.1 + random() / 2);
        end;
    end loop;
    perform set_config('lock_timeout', '0', true);
end
$$;

alter table images add column camera text;
