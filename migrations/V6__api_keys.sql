-- Keys of callers.

-- Made by `darkroom --new-key`. A key that is revoked or has expired stays, so that its name, which stands in logs, is never
-- another's.
create table api_keys (
    id                  bigint generated always as identity primary key,
    name                text        not null unique check (name ~ '^[A-Za-z0-9._-]{1,64}$'),
    -- SHA-256 of the key, and all that is kept of it. A key has 256 random bits: nobody finds one by trying, so that a slow
    -- or salted digest, which is for passwords that people think of, would add nothing. Unique for the look-up by digest
    -- when it is noted which keys were used.
    digest              bytea       not null unique check (octet_length(digest) = 32),
    scopes              text[]      not null check (cardinality(scopes) > 0 and scopes <@ array['read', 'write', 'admin']),
    -- Null: `limits.requests_per_minute`. 0: no limit.
    requests_per_minute integer     check (requests_per_minute >= 0),
    created_at          timestamptz not null default now(),
    -- Null: never. There is no distance to an infinite time, by which servers know how long a key is still valid.
    expires_at          timestamptz check (isfinite(expires_at)),
    revoked_at          timestamptz,
    -- To the minute, and some seconds late.
    last_used_at        timestamptz
);
-- The keys that every server reads every few seconds. Those that were revoked or have expired in years are not walked over.
create index api_keys_in_force on api_keys (coalesce(expires_at, 'infinity')) where revoked_at is null;
