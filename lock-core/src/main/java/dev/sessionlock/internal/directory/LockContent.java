package dev.sessionlock.internal.directory;

import java.time.Instant;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** What a lock file contains. */
public sealed interface LockContent {

    /** A record of ours, whole: its checksum is right. */
    record Ours(LockRecord record) implements LockContent {
        /** As they are written. The JDK's own for a record are generated at their first use: 20 ms, just when somebody has died. */
        @Override
        public boolean equals(Object other) {
            return other instanceof Ours that && Arrays.equals(record.bytes(), that.record.bytes());
        }

        @Override
        public int hashCode() {
            return Arrays.hashCode(record.bytes());
        }
    }

    /**
     * A foreign lock.
     *
     * @param pid its process
     * @param createdAt since when; null if it does not say, or not in a way that is understood
     * @param startTicks field 22 of the process's stat; negative if it does not say
     * @param maxHoldMs for how long at most; negative if it does not say
     */
    record Foreign(long pid, @Nullable Instant createdAt, long startTicks, long maxHoldMs) implements LockContent {
    }

    /** The torn beginning of a lock record, or one of ours that is damaged. */
    record Torn(String why) implements LockContent {
    }

    /** Nothing, or white space. */
    record Empty() implements LockContent {
    }

    /** Something that is not a lock. */
    record NotALock(String what) implements LockContent {
    }

    /** {@return what these bytes are; never throws} */
    static LockContent parse(byte [] bytes) {
        return ContentReader.read(bytes);
    }
}
