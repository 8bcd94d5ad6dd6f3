-- The history of the locks in session_lock, for JdbcLockEngine.withHistory. May be run again: what is there stays.
-- Those who write it need SELECT, INSERT and DELETE on it; those who only read it (history, why), SELECT. No lock depends on it: it may be
-- emptied or dropped at any time.
CREATE TABLE IF NOT EXISTS session_lock_history (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- in the order in which the entries were written
    name           text COLLATE "C" NOT NULL,
    token          bigint,                       -- of the last hold, if the entry stands for several
    pid            bigint NOT NULL,
    host           text,
    thread         text,
    purpose        text,
    since          timestamptz,                  -- times are by the clock of the machine that wrote the entry
    until          timestamptz NOT NULL,
    ending         text NOT NULL,                -- RELEASED, PROCESS_DIED, ...: see PastHold.Ending
    count          bigint NOT NULL,              -- how many holds this is
    longest_us     bigint,                       -- how long the longest of them lasted, microseconds
    waited_us      bigint,                       -- how long its taker waited; null if another process found out how it ended
    wait_behind_us bigint,                       -- the longest wait of another thread behind it
    process        text,                         -- what tells the process from others with its pid: start ticks, boot, namespaces
    UNIQUE (name, id)
);
-- For a table that an earlier version has made. Without this column everything works, and entries do not say which process it was.
ALTER TABLE session_lock_history ADD COLUMN IF NOT EXISTS process text;
