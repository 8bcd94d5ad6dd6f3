package dev.sessionlock.internal.directory;

import java.io.Closeable;
import java.io.IOException;
import java.util.Properties;

/**
 * How many copies of the library use locks in this JVM (shaded, or in two class loaders). Closing a guard file drops the bytes that another copy
 * holds in it, so nothing is closed while another copy has any lock in use. A copy without locks holds only its process byte and mark byte: after a
 * closing it takes them again before it locks anything.
 *
 * <p>So if one web application replaces another, the old one closes all that it had open, and nothing keeps its class loader alive.
 *
 * <p>The counts are system properties, the only thing that all copies share. Their values are Strings, since other objects in the system properties
 * break {@link Properties#store}.
 */
final class LibraryCopies {
    /** This copy among those of this JVM. */
    static final LibraryCopies OF_THIS_JVM = new LibraryCopies("dev.sessionlock.copies");

    private final String inUse;
    private final String closings;
    /** Guarded by the monitor, as everything here. */
    private boolean using;
    private long closingsSeen;

    /** @param property the name of the system property that counts the copies in use */
    LibraryCopies(String property) {
        this.inUse = property;
        this.closings = property + ".closings";
        synchronized (mutex()) {
            closingsSeen = count(closings);
        }
    }

    /** This copy uses locks from now on. Returns whether another copy has closed anything since this one last used any. */
    boolean enter() {
        synchronized (mutex()) {
            if (!using) {
                using = true;
                System.setProperty(inUse, String.valueOf(count(inUse) + 1));
            }
            long seen = closingsSeen;
            closingsSeen = count(closings);
            return seen != closingsSeen;
        }
    }

    /** This copy uses no lock any more. */
    void leave() {
        synchronized (mutex()) {
            if (using) {
                using = false;
                System.setProperty(inUse, String.valueOf(Math.max(0, count(inUse) - 1)));
            }
        }
    }

    /**
     * {@return the monitor under which files of a directory are opened, so that no other copy of the library opens any there meanwhile} Not the
     * monitor of all copies: the disk may not answer.
     *
     * @param directory its inode, as Java tells it
     */
    Object monitorOf(Object directory) {
        return ("monitor of " + inUse + " in " + directory).intern();
    }

    /** Closes something, or returns false if another copy uses locks here. Closing must not wait for a disk: all copies wait for it. */
    boolean closeIfAlone(Closeable guards) throws IOException {
        synchronized (mutex()) {
            if (!isAlone()) {
                return false;
            }
            try {
                guards.close();
            } finally { // also if it fails: some of them may be closed
                closingsSeen = count(closings) + 1;
                System.setProperty(closings, String.valueOf(closingsSeen));
            }
            return true;
        }
    }

    /** {@return whether no other copy uses any lock in this JVM} */
    boolean isAlone() {
        synchronized (mutex()) {
            return count(inUse) <= (using ? 1 : 0);
        }
    }

    /** One object for all class loaders. A copy that comes in between the look and the closing waits here. */
    private Object mutex() {
        return ("monitor of " + inUse).intern();
    }

    private static long count(String property) {
        try {
            return Long.parseLong(System.getProperty(property, "0"));
        } catch (NumberFormatException e) {
            return 1_000; // somebody else wrote to the property: assume many copies
        }
    }
}
