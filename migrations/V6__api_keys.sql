-- Keys of callers, and idempotency keys that are each caller's own.

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
    expires_at          timestamptz,
    revoked_at          timestamptz,
    -- To the minute, and some seconds late.
    last_used_at        timestamptz
);
-- The keys that every server reads every few seconds. What was revoked in years is not walked over.
create index api_keys_in_force on api_keys (name) where revoked_at is null;

-- As in V3: asked for again and again rather than waited for. At a million keys of 24 hours, uploads that carry one wait a
-- second or two.
do $$
begin
    perform set_config('lock_timeout', '500ms', true);
    loop
        begin
            lock table idempotency_keys in access exclusive mode;
            exit;
        exception when lock_not_available then
            perform pg_sleep(0.1 + random() / 2);
        end;
    end loop;
    perform set_config('lock_timeout', '0', true);
end
$$;

-- Two callers may use the same Idempotency-Key, and neither is answered with the other's image. The caller is the digest of
-- its key, and empty where nobody is asked for one: what processes of the version before write is nobody's, as it was. They
-- claim with `on conflict do nothing`, which needs no name of a constraint.
alter table idempotency_keys add column caller bytea not null default '' check (octet_length(caller) in (0, 32));
alter table idempotency_keys drop constraint idempotency_keys_pkey, add primary key (key, caller);
