-- The tables of dev.sessionlock.jdbc.JdbcLockEngine, for PostgreSQL 12 or later. May be run again: what is there stays.
-- Those who lock need SELECT, INSERT and UPDATE on it; those who only look (status, list, watch), SELECT; those who fence with it, SELECT
-- and UPDATE. A row whose holder is null is nobody's and may be deleted at any time: its next token is at least the clock's microseconds.
CREATE TABLE IF NOT EXISTS session_lock (
    name              text COLLATE "C" PRIMARY KEY,
    token             bigint NOT NULL,           -- of the last holder; it only grows
    holder            uuid,                      -- this very hold; null if nobody has it
    lease_until       timestamptz,               -- from then on others may take it
    process           uuid NOT NULL,             -- the process of the last holder, or rather its engine
    pid               bigint NOT NULL,
    host              text NOT NULL,
    boot              text,                      -- with these four another process of the same machine can tell whether it lives
    pid_namespace     text,
    time_namespace    text,
    start_ticks       bigint NOT NULL,
    process_start     timestamptz,
    thread            text,
    purpose           text,
    since             timestamptz NOT NULL,
    renewed_at        timestamptz NOT NULL,
    lease_ms          bigint NOT NULL,
    takeover          boolean NOT NULL,
    hold_until        timestamptz,               -- maxHold; null if without limit
    release_requested boolean NOT NULL DEFAULT false,
    hand              uuid,                      -- the process that waits, and is next
    hand_at           timestamptz,
    reserved_until    timestamptz                -- nobody but that one may take it before
) WITH (fillfactor = 60);                        -- renewals rewrite the row in its page, and no index

CREATE INDEX IF NOT EXISTS session_lock_requests ON session_lock (name) WHERE release_requested;

-- The readers of shared locks: a row for each process that reads. While there are any, the lock's row in session_lock has a holder that is equal to
-- its process, and a lease as long as the longest of theirs; so versions of the library that know no readers see a lock that is held. Those who lock
-- need SELECT, INSERT, UPDATE and DELETE on it, those who only look or fence SELECT. Locks that are never shared do without this table.
CREATE TABLE IF NOT EXISTS session_lock_readers (
    name              text COLLATE "C" NOT NULL,
    holder            uuid NOT NULL,             -- this very hold
    period            uuid NOT NULL,             -- the holder of the lock's row; if that has changed, this row counts for nothing
    lease_until       timestamptz NOT NULL,      -- never later than that of the lock's row
    process           uuid NOT NULL,             -- the other columns are those of session_lock
    pid               bigint NOT NULL,
    host              text NOT NULL,
    boot              text,
    pid_namespace     text,
    time_namespace    text,
    start_ticks       bigint NOT NULL,
    process_start     timestamptz,
    thread            text,
    purpose           text,
    since             timestamptz NOT NULL,
    renewed_at        timestamptz NOT NULL,
    lease_ms          bigint NOT NULL,
    takeover          boolean NOT NULL,
    hold_until        timestamptz,
    release_requested boolean NOT NULL DEFAULT false,
    PRIMARY KEY (name, holder)
) WITH (fillfactor = 60);
