package dev.sessionlock.benchmarks.report;

import dev.sessionlock.benchmarks.load.Load;
import dev.sessionlock.benchmarks.peers.Peer;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Set;

/** Which processes and threads want which locks at once. */
enum Scene {
    /** The threads of one gateway. */
    EIGHT_THREADS("8 threads of one JVM, one lock", 1, EnumSet.allOf(Peer.class)) {
        @Override
        Load load(Duration time) {
            return Load.onOneLock(8, time);
        }
    },

    /** Two programs. */
    TWO_JVMS("2 JVMs with a thread each, one lock", 2, Seen.BY_OTHER_JVMS) {
        @Override
        Load load(Duration time) {
            return Load.onOneLock(1, time);
        }
    },

    /** Both. */
    TWO_BY_FOUR("2 JVMs with 4 threads each, one lock", 2, Seen.BY_OTHER_JVMS) {
        @Override
        Load load(Duration time) {
            return Load.onOneLock(4, time);
        }
    },

    /** Many sessions: the processes seldom meet. */
    MANY_LOCKS("2 JVMs with 4 threads each, " + Scene.LOCKS + " locks", 2, Seen.BY_OTHER_JVMS) {
        @Override
        Load load(Duration time) {
            return Load.onManyLocks(4, LOCKS, time);
        }
    },

    /**
     * One holds, the other waits: how long a release takes until the other has the lock. A hold is long enough here that a process that does not wait
     * is certain to be noticed, however busy the machine.
     */
    TURNS("2 JVMs take turns: each holds for 2 ms and stays away for 1 ms", 2, Seen.BY_OTHER_JVMS) {
        @Override
        Load load(Duration time) {
            return Load.takingTurns(time);
        }
    },

    /** Two gateways behind one load balancer: a lock that lingers in one must not make the other wait. */
    TWO_GATEWAYS("2 JVMs, each with 400 messages a second for " + Scene.LOCKS + " sessions, of which some get most", 2,
            EnumSet.of(Peer.STRICT, Peer.WARM)) {
        @Override
        Load load(Duration time) {
            return Load.messages(8, LOCKS, 400, time);
        }
    };

    /** The locks of {@link #MANY_LOCKS}. */
    static final int LOCKS = 64;

    /** The peers that another JVM has anything to do with. */
    private static final class Seen {
        static final Set<Peer> BY_OTHER_JVMS = EnumSet.complementOf(EnumSet.of(Peer.REENTRANT_LOCK, Peer.FAIR_LOCK));
    }

    final String title;
    final int jvms;
    final Set<Peer> peers;

    Scene(String title, int jvms, Set<Peer> peers) {
        this.title = title;
        this.jvms = jvms;
        this.peers = peers;
    }

    /** {@return what each JVM does} */
    abstract Load load(Duration time);
}
