package dev.sessionlock.internal.seats;

import dev.sessionlock.internal.system.Clock;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * Where the locks of a process come from: the directories of this machine, or whatever else can exclude others. All that the threads'
 * floor knows of it. There is one of a kind in a process, and one {@code Cells} above it.
 */
public interface Engines {

    /** {@return the clocks that leases run by, and that threads wait by} */
    Clock clock();

    /**
     * {@return whether other processes see these locks, so that the end of this one must give them back in good order}
     */
    boolean outliveTheProcess();

    /**
     * Where a lock is.
     *
     * @param parent the absolute path of the directory of what is locked
     * @param name its name in it
     * @param networkAllowed whether a network file system is accepted
     */
    record Whereabouts(Path parent, String name, boolean networkAllowed) {
    }

    /**
     * Finds where a lock is, in whatever way its user named it. Nothing is opened yet.
     *
     * @param target what is to be locked
     * @param networkAllowed whether a network file system is accepted
     * @throws dev.sessionlock.LockException if nothing of that name can be locked
     */
    Whereabouts whereabouts(Path target, boolean networkAllowed) throws IOException;

    /** {@return by what several locks are put in order, the same for all processes} */
    Path rank(Whereabouts where) throws IOException;

    // ---- locking ----

    /** Opens where a lock is, and keeps it open until {@link Site#unpin}. */
    Site pin(Whereabouts where) throws IOException;

    /** A place that holds locks, open. One of the same place equals it. */
    interface Site {
        /** {@return the form of a name under which the lock is known here: who finds an equal one means the same lock} */
        String key(String name);

        /** {@return a new engine for a lock of that name} Only while it is pinned. */
        LockEngine engine(String name);

        /** Pins it once more. */
        void pinAgain();

        /** Takes back one pin. */
        void unpin();

        /** Something failed as it does where a place was removed or replaced: looks, and if so the next {@link #pin} gets the new one. */
        void suspect() throws IOException;
    }

    // ---- looking ----

    /** Looks at a lock without disturbing it. */
    Sight look(Whereabouts where) throws IOException;

    /** {@return whether a path means all locks in it rather than one} */
    boolean isDirectory(Path target);

    /** Looks at all locks of a directory without disturbing them. {@return what can be seen, by name} */
    List<Sight> lookAll(Path directory) throws IOException;

    // ---- what the keeper does, besides looking after what is held ----

    /** A few times a minute: looks whether what is open still is what it was. */
    void verify();

    /** Now and then: sweeps what others have left. */
    void sweep();

    /**
     * Closes what nobody has used for a while.
     *
     * @param atOnce without waiting for it: nobody locks anything any more
     * @return whether nothing is open any more
     */
    boolean closeIdle(boolean atOnce);
}
