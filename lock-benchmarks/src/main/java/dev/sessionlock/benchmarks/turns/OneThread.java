package dev.sessionlock.benchmarks.turns;

import dev.sessionlock.benchmarks.peers.Peer;
import dev.sessionlock.benchmarks.peers.PeerLock;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.function.BiConsumer;
import java.util.function.IntConsumer;

/**
 * Takes and gives back one lock of one peer, so many times. Loaded once for each contender, by a class loader of its own: the compiler then sees one kind of lock
 * here, as in a program that uses one.
 */
public final class OneThread implements IntConsumer, BiConsumer<String, String> {
    private PeerLock lock;

    /** For the class loader. {@link #accept(String, String)} opens the lock. */
    public OneThread() {
    }

    /**
     * Opens the lock.
     *
     * @param peer its name
     * @param directory an empty directory
     */
    @Override
    public void accept(String peer, String directory) {
        try {
            lock = Peer.valueOf(peer).open(Path.of(directory), "session.jsonl");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void accept(int cycles) {
        try {
            for (int i = 0; i < cycles; i++) {
                lock.acquire().close();
            }
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException(e.toString(), e);
        }
    }
}
