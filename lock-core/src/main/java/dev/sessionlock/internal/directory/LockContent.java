package dev.sessionlock.internal.directory;

import java.time.Instant;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** What a lock file contains. */
public sealed interface LockContent {

    /** A record of ours, whole: its checksum is right. */
    record Ours(LockRecord record) implements LockContent {
        /**
         * These two are written out, here and in the other records. The JDK's own are linked at their first use: 20 ms, just when somebody has died; and if there
         * is no memory then, they fail for good.
         */
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
        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Foreign that && pid == that.pid && startTicks == that.startTicks && maxHoldMs == that.maxHoldMs
                    && Objects.equals(createdAt, that.createdAt);
        }

        @Override
        public int hashCode() {
            return Long.hashCode(pid);
        }
    }

    /** The torn beginning of a lock record, or one of ours that is damaged. */
    record Torn(String why) implements LockContent {
        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Torn that && why.equals(that.why);
        }

        @Override
        public int hashCode() {
            return why.hashCode();
        }
    }

    /** Nothing, or white space. */
    record Empty() implements LockContent {
        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Empty;
        }

        @Override
        public int hashCode() {
            return 0;
        }
    }

    /** Something that is not a lock. */
    record NotALock(String what) implements LockContent {
        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof NotALock that && what.equals(that.what);
        }

        @Override
        public int hashCode() {
            return what.hashCode();
        }
    }

    /** {@return what these bytes are; never throws} */
    static LockContent parse(byte [] bytes) {
        return ContentReader.read(bytes);
    }
}
