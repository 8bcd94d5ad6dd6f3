package dev.sessionlock.benchmarks.peers;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Set;

/**
 * The locks that are measured side by side. Each is used as its own documentation says. A peer that cannot wait by itself is tried again every
 * {@link Polling#PAUSE} until it is acquired, the same for all.
 */
public enum Peer {
    /** Our library with its defaults: after {@code close()} nothing is left. */
    STRICT("sessionlock, strict", Reach.PROCESSES, "this library with its defaults", SessionPeer::strict),

    /** Our library, lingering: the next acquisition of the same JVM is cheap. */
    WARM("sessionlock, warm", Reach.PROCESSES, "this library, `withLinger(1 s)`", SessionPeer::warm),

    /** The system calls of our strict mode and nothing around them. */
    BARE_SKETCH("bare sketch", Reach.PROCESSES,
            "the floor of the strict mode: only its system calls (kernel byte, write, link, read back, inode check, unlink)", BareSketch::new),

    /** A kernel lock on a file that stays open. */
    CHANNEL_KEPT("FileChannel, kept open", Reach.PROCESSES,
            "`FileChannel.lock()` behind an unfair `ReentrantLock`, opened once; no record, no lease; the lock is lost if any code of the JVM opens and closes the file",
            ChannelPeer::kept),

    /** A kernel lock on a file that is opened each time. */
    CHANNEL_OPENED("FileChannel, opened each time", Reach.PROCESSES,
            "as in most examples: open, `lock()`, close; with several threads a JVM drops its own locks", ChannelPeer::openedEachTime),

    /** The lock file of most programs. */
    CREATE_DELETE("create, write, delete", Reach.PROCESSES, "`CREATE_NEW`, a record, delete; the file stays after a crash", CreateDeletePeer::new),

    /** The lock of Lucene's index writers. */
    LUCENE("Lucene NativeFSLockFactory", Reach.PROCESSES, "the lock of Lucene's index writers; it cannot wait, and has no record", LucenePeer::new),

    /** The lock of JGit. */
    JGIT("JGit LockFile", Reach.PROCESSES, "the lock of JGit's refs and index; it cannot wait, and stays after a crash", JGitPeer::new),

    /** The file locks of Maven. */
    RESOLVER("Maven Resolver file-lock", Reach.THREADS,
            "`FileLockNamedLockFactory` with its defaults; on Linux it deletes the file when it opens it, and so excludes no other process", ResolverPeer::new),

    /** The lock of Chronicle Queue. */
    CHRONICLE("Chronicle Queue write lock", Reach.PROCESSES,
            "its TableStoreWriteLock as the queue's builder makes it: compare-and-set of the process id in a mapped file, with no thread-level lock; "
                    + "waiters spin; no record; no crash recovery for 15 s: only then does a waiter ask whether the holder is alive",
            ChroniclePeer::new) {
        @Override
        public Duration crashRecovery() {
            return Duration.ofMillis(ChroniclePeer.TIMEOUT_MILLIS);
        }
    },

    /** The lower bound: no other process is asked. */
    REENTRANT_LOCK("ReentrantLock", Reach.THREADS, "the floor: memory of one JVM", (directory, name) -> new ReentrantLockPeer(false)),

    /** The lower bound for a lock that serves threads in the order of arrival, as ours does. */
    FAIR_LOCK("ReentrantLock, fair", Reach.THREADS, "the floor of a queue in the order of arrival: for each cycle another thread runs",
            (directory, name) -> new ReentrantLockPeer(true)),

    /** The control: if the witness finds nothing here, it is blind. */
    NOTHING("no lock at all", Reach.NOBODY, "the control: it shows that the witness sees double holders", (directory, name) -> new NoLock());

    /** Whom a peer excludes, by its own documentation. Whether it does is for the witness to say. */
    public enum Reach {
        /** Nobody. */
        NOBODY,
        /** The threads of its JVM. */
        THREADS,
        /** All threads of all processes. */
        PROCESSES
    }

    /** Opens a lock. */
    interface Opener {
        PeerLock open(Path directory, String name) throws IOException;
    }

    private final String title;
    private final Reach reach;
    private final String note;
    private final Opener opener;

    Peer(String title, Reach reach, String note, Opener opener) {
        this.title = title;
        this.reach = reach;
        this.note = note;
        this.opener = opener;
    }

    /** {@return its name for people} */
    public String title() {
        return title;
    }

    /** {@return whom it is supposed to exclude} */
    public Reach reach() {
        return reach;
    }

    /** {@return those that are supposed to exclude other processes, in their order} */
    public static Set<Peer> betweenProcesses() {
        Set<Peer> peers = EnumSet.allOf(Peer.class);
        peers.removeIf(peer -> peer.reach != Reach.PROCESSES);
        return peers;
    }

    /** {@return how long a waiter must have waited, by its documentation, until it looks whether the holder is dead; zero if it need not look} */
    public Duration crashRecovery() {
        return Duration.ZERO;
    }

    /** {@return what it is and how it is used, one line of Markdown} */
    public String note() {
        return note;
    }

    /**
     * Opens a lock of this peer.
     *
     * @param directory an existing directory on the disk to be measured, for this peer alone
     * @param name of a file in it
     * @return the lock, to be closed
     * @throws IOException if the disk refuses
     */
    public PeerLock open(Path directory, String name) throws IOException {
        return opener.open(directory, name);
    }
}
