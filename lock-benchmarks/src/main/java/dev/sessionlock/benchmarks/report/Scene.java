package dev.sessionlock.benchmarks.report;

import dev.sessionlock.benchmarks.load.Load;
import dev.sessionlock.benchmarks.peers.Peer;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Set;

/** Which processes and threads want which locks at once. */
enum Scene {
    /** The threads of one gateway. */
    EIGHT_THREADS("8 threads of one JVM, one lock", 1, Runs.SHORT_IN_ROUNDS, EnumSet.allOf(Peer.class)) {
        @Override
        Load load(Duration time) {
            return Load.onOneLock(8, time);
        }
    },

    /** The threads of one gateway, each of which writes while it holds. A lock that serves them unevenly shows it here: each unfair turn costs 1 ms. */
    HELD_1_MS("8 threads of one JVM, one lock, held for 1 ms each time", 1, Runs.LONG_ONCE,
            EnumSet.of(Peer.STRICT, Peer.WARM, Peer.BARE_SKETCH, Peer.CHANNEL_KEPT, Peer.LUCENE, Peer.CHRONICLE, Peer.REENTRANT_LOCK, Peer.FAIR_LOCK)) {
        @Override
        Load load(Duration time) {
            return Load.held(8, Duration.ofMillis(1), time);
        }
    },

    /** Two programs. */
    TWO_JVMS("2 JVMs with a thread each, one lock", 2, Runs.SHORT_IN_ROUNDS, Seen.BY_OTHER_JVMS) {
        @Override
        Load load(Duration time) {
            return Load.onOneLock(1, time);
        }
    },

    /** Both. */
    TWO_BY_FOUR("2 JVMs with 4 threads each, one lock", 2, Runs.SHORT_IN_ROUNDS, Seen.BY_OTHER_JVMS) {
        @Override
        Load load(Duration time) {
            return Load.onOneLock(4, time);
        }
    },

    /** Many sessions: the processes seldom meet. */
    MANY_LOCKS("2 JVMs with 4 threads each, " + Scene.LOCKS + " locks", 2, Runs.SHORT_IN_ROUNDS, Seen.BY_OTHER_JVMS) {
        @Override
        Load load(Duration time) {
            return Load.onManyLocks(4, LOCKS, time);
        }
    },

    /**
     * One holds, the other waits: how long a release takes until the other has the lock. A hold is long enough here that a process that does not wait
     * is certain to be noticed, however busy the machine.
     */
    TURNS("2 JVMs take turns: each holds for 2 ms and stays away for 1 ms", 2, Runs.LONG_ONCE, Seen.BY_OTHER_JVMS) {
        @Override
        Load load(Duration time) {
            return Load.takingTurns(time);
        }
    },

    /** Two gateways behind one load balancer: a lock that lingers in one must not make the other wait. */
    TWO_GATEWAYS("2 JVMs, each with 400 messages a second for " + Scene.LOCKS + " sessions, of which some get most", 2, Runs.LONG_IN_ROUNDS,
            EnumSet.of(Peer.STRICT, Peer.WARM)) {
        @Override
        Load load(Duration time) {
            return Load.messages(8, LOCKS, 400, time);
        }
    };

    /** How often, and for how long. */
    enum Runs {
        /** In each round: enough for a rate. */
        SHORT_IN_ROUNDS,
        /** In each round: enough for the percentiles of waits. */
        LONG_IN_ROUNDS,
        /** Once: what happens seldom, such as a handover, must happen often enough. */
        LONG_ONCE
    }

    /** The locks of {@link #MANY_LOCKS}. */
    static final int LOCKS = 64;

    /** The peers that another JVM has anything to do with. */
    private static final class Seen {
        static final Set<Peer> BY_OTHER_JVMS = EnumSet.complementOf(EnumSet.of(Peer.REENTRANT_LOCK, Peer.FAIR_LOCK));
    }

    final String title;
    final int jvms;
    final Runs runs;
    final Set<Peer> peers;

    Scene(String title, int jvms, Runs runs, Set<Peer> peers) {
        this.title = title;
        this.jvms = jvms;
        this.runs = runs;
        this.peers = peers;
    }

    /** {@return what each JVM does} */
    abstract Load load(Duration time);
}
