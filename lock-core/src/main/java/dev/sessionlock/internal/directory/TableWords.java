package dev.sessionlock.internal.directory;

import java.io.Closeable;
import java.io.IOException;

/**
 * The 64-bit words of one file of the shared table, by byte offset. Every access is as strong as a volatile one, across processes: a process that
 * writes its own word and then reads another's must not miss what the other wrote before it looked (PROTOCOL.md, rule 3).
 *
 * <p>An access that fails throws a {@link TableFault}, and never returns a value instead.
 */
interface TableWords extends Closeable {

    /** {@return the word at an offset} */
    long get(int offset);

    /** {@return whether three words of one entry have these values} Costs little more than one {@link #get}. */
    default boolean have(int offset1, long value1, int offset2, long value2, int offset3, long value3) {
        return get(offset1) == value1 && get(offset2) == value2 && get(offset3) == value3;
    }

    /** Writes a word that nobody else writes. */
    void set(int offset, long value);

    /** Writes a word if it still is what was read before. Returns whether it was. */
    boolean replace(int offset, long expected, long value);

    /** {@return the number of bytes} */
    int size();

    /** {@return whether words can only be read} */
    boolean isReadOnly();

    /** {@return whether the file at its name still is the one that was opened, and as long} */
    default boolean isInPlace() {
        return true;
    }

    /** {@return whether another file lies at its name} */
    default boolean isReplaced() {
        return false;
    }

    /** Closes what is open for it. Threads that still use words can read and write them. */
    default void close() throws IOException {
    }

    /** Raises a word that only grows, and that others may raise too. */
    default void raise(int offset, long least) {
        long last = get(offset);
        while (last < least && !replace(offset, last, least)) {
            last = get(offset);
        }
    }
}
