package dev.sessionlock.benchmarks.peers;

/** Lets everybody in at once. */
final class NoLock implements PeerLock {
    private static final AutoCloseable HOLD = () -> { };

    @Override
    public AutoCloseable acquire() {
        return HOLD;
    }

    @Override
    public void close() {
        // Nothing to close.
    }
}
