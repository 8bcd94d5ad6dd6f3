package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.directory.LockStore.Found;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** What this process saw last at each location where a record of one lock may lie, and since when it has been unchanged. */
final class SeenRecords {
    private record Seen(LockContent content, long since) {
    }

    private final @Nullable Seen[] last = new Seen[RecordLocation.values().length];

    /** {@return what was found now, and for how long it has been seen unchanged} */
    Found watched(RecordLocation location, Found found, long now) {
        Seen seen = last[location.ordinal()];
        if (seen == null || !found.content().equals(seen.content())) {
            seen = new Seen(found.content(), now);
            last[location.ordinal()] = seen;
        }
        return new Found(found.content(), found.key(), found.ageMillis(), TimeUnit.NANOSECONDS.toMillis(now - seen.since()));
    }

    /** Nothing lies there now. */
    void gone(RecordLocation location) {
        last[location.ordinal()] = null;
    }
}
