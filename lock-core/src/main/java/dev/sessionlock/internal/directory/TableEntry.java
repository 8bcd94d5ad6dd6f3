package dev.sessionlock.internal.directory;

import dev.sessionlock.LockOptions;
import dev.sessionlock.spi.Terms;

/**
 * One lock's entry in the shared table: the words that all processes share. In a mapped table, every read is a
 * {@code getVolatile} and every write a {@code setVolatile} or {@code compareAndSet}; {@link PositionedWords} says what takes their place where the table
 * is read and written by system calls. Rule 3 (publish, then look) needs the full fence between a write of one's own expiry and the read of another's, or both
 * could miss each other.
 */
public interface TableEntry {

    /** An expiry that is never past, except for the low bits that tell who wrote it: its holder excludes takeover. */
    long NEVER = Long.MAX_VALUE;

    /** The low bits of an expiry and of a waiter mark say which process wrote it, at the cost of 65 microseconds of precision. */
    long MARK_BITS = 0xffff;

    /** Further away than any lease and its grace: such a time was left by another boot of a machine without boot ids. */
    long LONGEST_NANOS = LockOptions.MAX_LEASE.toNanos() + Terms.grace(LockOptions.MAX_LEASE.toNanos()) + 1_000_000_000L;

    /** {@return whether an expiry is never past} */
    static boolean isNever(long expiry) {
        return expiry >= (NEVER & ~MARK_BITS);
    }

    /**
     * {@return whether an expiry is past}
     *
     * @param now our clock, read before the expiry was (rule 7)
     * @param comparable whether the writer's clock is ours
     */
    static boolean isPast(long expiry, long now, boolean comparable) {
        if (expiry == 0) {
            return true; // its owner is between taking the byte and publishing, or between withdrawing and freeing it
        }
        return comparable && !isNever(expiry) && (expiry <= now || expiry - now > LONGEST_NANOS);
    }

    /** {@return until when seat {@code seat} is held, in monotonic nanoseconds; 0 if by nobody} */
    long expiry(int seat);

    /** {@return whether a seat still has the expiry that was published} If not, another process has had the seat's byte since. */
    boolean hasExpiry(int seat, long expiry);

    /**
     * Publishes until when a seat is held, or withdraws with 0, if the seat still has the expiry that was read or published before: a process whose
     * byte the kernel has dropped unnoticed must not overwrite the next holder's expiry. Only for the holder of the seat's byte.
     *
     * @return whether it still had
     */
    boolean replaceExpiry(int seat, long published, long expiry);

    /** Returned instead of a token, if the last one was the greatest possible. */
    long NO_TOKEN = 0;

    /**
     * {@return the first of so many tokens after the last one, not below the wall clock's microseconds; {@link #NO_TOKEN} if there are not so many} It is never a
     * smaller one.
     */
    static long tokenAfter(long last, long wallMicros, int many) {
        long first = last == Long.MAX_VALUE ? NO_TOKEN : Math.max(1, Math.max(wallMicros, last + 1));
        return first > Long.MAX_VALUE - (many - 1) ? NO_TOKEN : first;
    }

    /**
     * {@return a fencing token greater than all drawn for this lock before, and not below the wall clock's microseconds; {@link #NO_TOKEN} if there
     * is none} No clock gets that far, but anybody who may write a record or the table can.
     */
    default long drawToken(long wallMicros) {
        return drawTokens(wallMicros, 1);
    }

    /** As {@link #drawToken}, for so many tokens, each one more than the one before. Returns the first of them. */
    long drawTokens(long wallMicros, int many);

    /**
     * Checks that others who open the table now find this entry. Called once our record is in place: a process that opens another table after that
     * finds the record, and waits for it. A process that used another table before could not be seen by us, nor we by it.
     *
     * @throws TableFault if another file is at the name of one that this entry depends on
     */
    default void requireInPlace() {
    }

    /** {@return the token that was drawn last for this lock; 0 if none ever was, as far as is known} */
    long lastToken();

    /** Makes sure that no token up to {@code token} is drawn from this entry again. */
    void raiseToken(long token);

    /** {@return when a process last said that it waits or tried, and which process: see {@link #setWaiterMark}; 0 if never} */
    long waiterMark();

    /** Says that a process waits; {@code mark} carries the time and the mark of the process. */
    void setWaiterMark(long mark);

    /** {@return when a process last said that it waits for the lock exclusively: see {@link #setWriterMark}; 0 if never} */
    long writerMark();

    /** Says that a process waits for the lock exclusively, or tried once; as {@link #setWaiterMark}. 0 takes that back. */
    void setWriterMark(long mark);

    /**
     * {@return the registered readers: how many reader slots count, in the low {@value #READER_BITS} bits, and above them a number that each change increases} Two
     * words are equal only if nobody has registered or left in between.
     */
    long readers();

    /** Registers readers, or withdraws them, if nobody has changed the word since it was read. {@return whether nobody had} */
    boolean replaceReaders(long read, long readers);

    /** So many bits of {@link #readers} say how many slots count. */
    int READER_BITS = 16;

    /** There are no more reader slots than this. */
    int MOST_READERS = (1 << READER_BITS) - 1;

    /** {@return how many reader slots count, by a word that was read} A writer has to look at each of them. */
    static int readersIn(long readers) {
        return (int) (readers & MOST_READERS);
    }

    /** {@return the word that follows one that was read, with so many slots that count} */
    static long withReaders(long read, int slots) {
        return (read >>> READER_BITS) + 1 << READER_BITS | slots;
    }

    /**
     * {@return whether this still is the entry of the lock that it was found for} Certain only after an expiry was published here that is not past:
     * from then on nobody clears the entry. Asking takes back an entry that was being cleared.
     */
    boolean isValid();

    /**
     * {@return whether nobody else has had the lock: its seat {@link #hasExpiry has this expiry}, no token was drawn after this one, and the entry
     * {@link #isValid is valid}}
     */
    default boolean isUntouched(int seat, long expiry, long lastToken) {
        return hasExpiry(seat, expiry) && lastToken() == lastToken && isValid();
    }
}
