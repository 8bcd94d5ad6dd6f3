package dev.sessionlock.internal.system;

import java.time.Duration;

/** A span of time in the words that timeouts, evidence and the tool use: {@code 7 s}, {@code 22 min 4 s}, {@code 3 h 0 min}. */
public final class Durations {
    private static final long HOUR = 3600;
    private static final long DAY = 24 * HOUR;

    private Durations() {
    }

    /** {@return the span in its two greatest units; 0 s for a negative one, as after a clock was set back} */
    public static String inWords(Duration span) {
        long seconds = Math.max(0, span.toSeconds());
        if (seconds < 60) {
            return seconds + " s";
        } else if (seconds < HOUR) {
            return seconds / 60 + " min " + seconds % 60 + " s";
        } else if (seconds < 2 * DAY) {
            return seconds / HOUR + " h " + seconds / 60 % 60 + " min";
        }
        return seconds / DAY + " days";
    }
}
