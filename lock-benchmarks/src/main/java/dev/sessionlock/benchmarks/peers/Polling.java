package dev.sessionlock.benchmarks.peers;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/** How a peer waits that can only try. */
final class Polling {
    /**
     * Between two tries. Much shorter than what the peers' own users have (Lucene's was 1 s, JGit's users sleep 100 ms and more), so that no peer
     * looks slow because of a constant.
     */
    static final Duration PAUSE = Duration.ofMillis(1);

    private Polling() {
    }

    /** Waits until the next try. */
    static void pause() throws InterruptedException {
        LockSupport.parkNanos(PAUSE.toNanos());
        if (Thread.interrupted()) {
            throw new InterruptedException();
        }
    }
}
