package dev.sessionlock.cli;

import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Map;

/**
 * Tells the processes of one job from all others: a variable in their environment, which all that the job starts inherit. Its name is random, and
 * only processes of our user can read an environment. So nobody else's process can pretend to belong to the job. It could if the mark were the lock's
 * token, which everybody may read. The mark must never be written where others can read it: no record, no message, no command line. Each run has a
 * variable of its own, so that a job within a job belongs to both.
 */
final class JobMark {
    private static final String PREFIX = "SESSIONLOCK_RUN_";
    private static final int RANDOM_BYTES = 16;
    private static final String VALUE = "1";

    private final String name;

    private JobMark(String name) {
        this.name = name;
    }

    /** {@return a mark that no other job has} */
    static JobMark random() {
        byte[] random = new byte[RANDOM_BYTES];
        new SecureRandom().nextBytes(random);
        return new JobMark(PREFIX + HexFormat.of().formatHex(random));
    }

    /** Adds the mark to the environment of a process that is to be started. */
    void addTo(Map<String, String> environment) {
        environment.put(name, VALUE);
    }

    /** {@return the mark as a line of an environment} */
    String line() {
        return name + "=" + VALUE;
    }

    /** {@return whether an environment, in the form of {@code /proc}, contains this mark} */
    boolean isIn(byte[] environ) {
        return ("\0" + new String(environ, StandardCharsets.ISO_8859_1) + "\0").contains("\0" + line() + "\0");
    }

    /** Removes the marks of all runs within which this one runs. */
    static void removeAllFrom(Map<String, String> environment) {
        environment.keySet().removeIf(name -> name.startsWith(PREFIX));
    }
}
