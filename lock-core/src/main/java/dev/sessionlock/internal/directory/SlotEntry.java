package dev.sessionlock.internal.directory;

/**
 * The table entry of a reader slot, whose tokens are those of the lock: a reader has the newest exclusive token, and draws none. So whoever compares tokens, as a late
 * renewal does, sees whether a writer has come in since.
 *
 * @param its the slot's own entry
 * @param ofLock the entry of the lock
 */
record SlotEntry(TableEntry its, TableEntry ofLock) implements TableEntry {

    @Override
    public long expiry(int seat) {
        return its.expiry(seat);
    }

    @Override
    public boolean hasExpiry(int seat, long expiry) {
        return its.hasExpiry(seat, expiry);
    }

    @Override
    public boolean replaceExpiry(int seat, long published, long expiry) {
        return its.replaceExpiry(seat, published, expiry);
    }

    /** A token is drawn only for the first holder that a lock has ever had. */
    @Override
    public long drawTokens(long wallMicros, int many) {
        long last = ofLock.lastToken();
        return last != 0 ? last : ofLock.drawTokens(wallMicros, 1);
    }

    @Override
    public void requireInPlace() {
        its.requireInPlace();
        ofLock.requireInPlace();
    }

    @Override
    public long lastToken() {
        return ofLock.lastToken();
    }

    @Override
    public void raiseToken(long token) {
        ofLock.raiseToken(token);
    }

    @Override
    public long waiterMark() {
        return its.waiterMark();
    }

    @Override
    public void setWaiterMark(long mark) {
        its.setWaiterMark(mark);
    }

    @Override
    public long writerMark() {
        return its.writerMark();
    }

    @Override
    public void setWriterMark(long mark) {
        its.setWriterMark(mark);
    }

    @Override
    public long readers() {
        return 0; // a slot has no slots
    }

    @Override
    public boolean replaceReaders(long read, long readers) {
        return false;
    }

    @Override
    public boolean isValid() {
        return its.isValid();
    }
}
