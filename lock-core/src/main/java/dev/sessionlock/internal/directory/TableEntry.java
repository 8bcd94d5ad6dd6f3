package dev.sessionlock.internal.directory;

import dev.sessionlock.LockOptions;
import dev.sessionlock.spi.Terms;

/**
 * One lock's line of the board: the words that all processes share. Every read is a {@code getVolatile} and every write a
 * {@code setVolatile} or {@code compareAndSet}: rule 3 (publish, then look) needs the full fence between a write of one's own word and the read of
 * another's, or both could miss each other.
 */
public interface TableEntry {

    /** An {@code until} that never passes, give or take the low bits that tell whose it is: its holder asked not to be taken over. */
    long NEVER = Long.MAX_VALUE;

    /** The low bits of an until and of a waiter mark say which process wrote it: 65 microseconds of the clock are given up for that. */
    long MARK_BITS = 0xffff;

    /** Further away than any lease and its grace: such a time was left by another boot of a machine without boot ids. */
    long LONGEST_NANOS = LockOptions.MAX_LEASE.toNanos() + Terms.grace(LockOptions.MAX_LEASE.toNanos()) + 1_000_000_000L;

    /** {@return whether an until never passes} */
    static boolean isNever(long until) {
        return until >= (NEVER & ~MARK_BITS);
    }

    /**
     * {@return whether an until is past}
     *
     * @param now our clock, read before the until was (rule 7)
     * @param comparable whether its clock is ours
     */
    static boolean isPast(long until, long now, boolean comparable) {
        if (until == 0) {
            return true; // its owner is between taking the byte and publishing, or between giving up and freeing it
        }
        return comparable && !isNever(until) && (until <= now || until - now > LONGEST_NANOS);
    }

    /** {@return until when seat {@code seat} is held, in monotonic nanoseconds; 0 if by nobody} */
    long expiry(int seat);

    /** {@return whether a seat's word still is what was published} If not, somebody else has had the seat's byte since. */
    boolean hasExpiry(int seat, long until);

    /**
     * Publishes until when a seat is held, or with 0 withdraws, if its word still is what was read or published before: one whose
     * byte the kernel has dropped unnoticed must not overwrite the word of the next. Only for the holder of the seat's byte.
     *
     * @return whether it still was
     */
    boolean replaceExpiry(int seat, long published, long until);

    /** In place of a token, where the last one was the greatest that there is. */
    long NO_TOKEN = 0;

    /** {@return the token after the last one, not below the wall clock's microseconds; {@link #NO_TOKEN} if there is none: it is never a smaller one} */
    static long tokenAfter(long last, long wallMicros) {
        return last == Long.MAX_VALUE ? NO_TOKEN : Math.max(1, Math.max(wallMicros, last + 1));
    }

    /**
     * {@return a fencing token greater than all drawn for this lock before, and not below the wall clock's microseconds; {@link #NO_TOKEN} if there is
     * none} No clock leads there, but anybody who may write a record or the table does.
     */
    long drawToken(long wallMicros);

    /**
     * Whether others who open the table now find this line. To be asked once our record is in place: whoever opens another table after that finds the
     * record, and waits for it. Whoever stood on another one before was not to be seen by us, nor we by him.
     *
     * @throws TableFault if another file lies at the name of one that this line depends on
     */
    default void requireInPlace() {
    }

    /** {@return the token that was drawn last for this lock; 0 if none ever was, as far as is known} */
    long lastToken();

    /** Makes sure that no token up to {@code token} is drawn from here again. */
    void raiseToken(long token);

    /** {@return when a process last said that it waits, and which: see {@link #setWaiterMark}; 0 if never} */
    long waiterMark();

    /** Says that a process waits here; {@code mark} carries the time and a sign of the process. */
    void setWaiterMark(long mark);

    /**
     * {@return whether this still is the line of the lock that it was found for} For certain only after an until was published here that is not past:
     * from then on nobody clears the line. One that was being cleared is taken back by the question.
     */
    boolean isValid();
}
