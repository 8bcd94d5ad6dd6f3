package dev.sessionlock.internal.directory;


/**
 * A table entry where it lies in a file of the shared table. It writes nothing but the words of its slot, and reads nothing else but the high-water mark of the tokens
 * in the header. The slot may be cleared and claimed for another lock at any moment: {@link #isValid} tells.
 */
final class MappedEntry implements TableEntry {
    /** A slot that is being cleared says {@code h ^ CLEARING}, except for the low bits: they say which process clears it. */
    static final long CLEARING = 0x6c65_6172_696e_0000L;

    final TableWords first;
    final TableWords page;
    final int offset;
    final long h;

    MappedEntry(TableWords[] all, int fileIndex, int offset, long h) {
        this.first = all[0];
        this.page = all[fileIndex];
        this.offset = offset;
        this.h = h;
    }

    boolean isOfItsLock() {
        return isOf(h, page.get(offset));
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof MappedEntry entry && entry.page == page && entry.offset == offset && entry.h == h;
    }

    @Override
    public int hashCode() {
        return Long.hashCode(h) + offset;
    }

    @Override
    public long expiry(int seat) {
        return page.get(offset + TableLayout.EXPIRY + 8 * seat);
    }

    @Override
    public boolean hasExpiry(int seat, long expiry) {
        return expiry(seat) == expiry;
    }

    @Override
    public boolean replaceExpiry(int seat, long published, long expiry) {
        return page.replace(offset + TableLayout.EXPIRY + 8 * seat, published, expiry);
    }

    @Override
    public void requireInPlace() {
        if (first.isReplaced() || page != first && page.isReplaced()) {
            throw TableFault.replaced();
        }
    }

    @Override
    public long drawTokens(long wallMicros, int many) {
        while (true) {
            long last = page.get(offset + TableLayout.TOKEN);
            long next = TableEntry.tokenAfter(Math.max(last, first.get(TableLayout.HEAD_HIGH_WATER)), wallMicros, many);
            if (next == NO_TOKEN || page.replace(offset + TableLayout.TOKEN, last, next + many - 1)) {
                return next;
            }
        }
    }

    @Override
    public long lastToken() {
        return page.get(offset + TableLayout.TOKEN);
    }

    @Override
    public void raiseToken(long token) {
        page.raise(offset + TableLayout.TOKEN, token);
    }

    @Override
    public long waiterMark() {
        return page.get(offset + TableLayout.WAITER);
    }

    @Override
    public void setWaiterMark(long mark) {
        page.set(offset + TableLayout.WAITER, mark);
    }

    @Override
    public long writerMark() {
        return page.get(offset + TableLayout.WRITER);
    }

    @Override
    public void setWriterMark(long mark) {
        page.set(offset + TableLayout.WRITER, mark);
    }

    @Override
    public long readers() {
        return page.get(offset + TableLayout.READERS);
    }

    @Override
    public boolean replaceReaders(long read, long readers) {
        return page.replace(offset + TableLayout.READERS, read, readers);
    }

    @Override
    public boolean isValid() {
        long slot = page.get(offset);
        // The process that marked it looks at the expiries after that, or has been killed. Its own next step fails because of this replacement.
        return slot == h || isBeingCleared(h, slot) && page.replace(offset, slot, h);
    }

    /** On the way of each warm acquisition. */
    @Override
    public boolean isUntouched(int seat, long expiry, long lastToken) {
        return page.have(offset + TableLayout.EXPIRY + 8 * seat, expiry, offset + TableLayout.TOKEN, lastToken, offset, h)
                || TableEntry.super.isUntouched(seat, expiry, lastToken); // it may be being cleared
    }

    @Override
    public String toString() {
        return "entry at " + offset + " [expiries " + expiry(0) + ", " + expiry(1) + ", token " + page.get(offset + TableLayout.TOKEN) + "]";
    }

    // ---- what a slot says ----

    static long beingCleared(long h) {
        return (h ^ CLEARING) & ~TableEntry.MARK_BITS;
    }

    /** {@return whether a slot belongs to a lock: it has its entry, or one that is being cleared} */
    static boolean isOf(long h, long slot) {
        return slot == h || isBeingCleared(h, slot);
    }

    static boolean isBeingCleared(long h, long slot) {
        return slot != 0 && (slot & ~TableEntry.MARK_BITS) == beingCleared(h);
    }
}
