package dev.sessionlock.internal.directory;

import java.io.Closeable;
import java.io.IOException;
import java.util.Properties;

/**
 * How many copies of the library live in this JVM (shaded, or in two class loaders). Closing a guard drops the bytes that
 * another copy holds in the same file, so with more than one nothing is ever closed.
 *
 * <p>The count is a system property, the one place that all copies share; its value is a String, since other objects in the
 * system properties break {@link Properties#store}.
 */
final class Copies {
    static final String PROPERTY = "dev.sessionlock.copies";

    static {
        synchronized (mutex()) {
            System.setProperty(PROPERTY, String.valueOf(count() + 1));
        }
    }

    private Copies() {
    }

    /** Counts this copy in, once; it must come before the first guard is opened. */
    static void countIn() {
        // The static initializer has done it.
    }

    /** What opens or closes guards. */
    interface Step<T> {
        T run() throws IOException;
    }

    /** Runs something while no other copy of the library does such a thing. */
    static <T> T oneAtATime(Step<T> step) throws IOException {
        synchronized (mutex()) {
            return step.run();
        }
    }

    /** Closes something unless another copy lives here; then says false. */
    static boolean closeIfAlone(Closeable guards) throws IOException {
        return oneAtATime(() -> {
            if (count() > 1) {
                return false;
            }
            guards.close();
            return true;
        });
    }

    /** {@return whether there is no other copy of the library in this JVM} */
    static boolean isAlone() {
        return count() <= 1;
    }

    /** One object for all class loaders. A copy that comes in between the look and the closing waits here. */
    private static Object mutex() {
        return ("monitor of " + PROPERTY).intern();
    }

    private static int count() {
        try {
            return Integer.parseInt(System.getProperty(PROPERTY, "0"));
        } catch (NumberFormatException e) {
            return 1_000; // somebody else wrote there: count as many
        }
    }
}
