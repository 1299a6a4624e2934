-- A file says one thing of its picture, however often it is read. Made while captions can be read, and before anything of this
-- kind is written (V12).

select lock_at_once('lock table captions in share mode');

create unique index caption_of_file on captions (image_id) where source = 'embedded';
