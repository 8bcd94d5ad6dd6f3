package dev.sessionlock.cli;

import java.util.Collection;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Finds the name that was meant by a mistyped one. */
final class Spelling {
    private static final int MOST = 2;

    private Spelling() {
    }

    /** {@return the nearest name, at most two keystrokes away from what was typed; null if there is none} */
    static @Nullable String nearest(String typed, Collection<String> names) {
        String nearest = null;
        int least = Math.min(MOST, typed.length() / 3) + 1;
        for (String name : names) {
            int distance = distance(typed.toLowerCase(Locale.ROOT), name.toLowerCase(Locale.ROOT), least);
            if (distance < least && !name.equals(typed)) {
                least = distance;
                nearest = name;
            }
        }
        return nearest;
    }

    /** {@return how many letters must be typed, left out or changed to get from one text to the other; {@code enough} if it is more} */
    private static int distance(String one, String other, int enough) {
        if (Math.abs(one.length() - other.length()) >= enough) {
            return enough;
        }
        int[] above = new int[other.length() + 1];
        for (int i = 0; i <= other.length(); i++) {
            above[i] = i;
        }
        for (int i = 1; i <= one.length(); i++) {
            int[] row = new int[other.length() + 1];
            row[0] = i;
            for (int j = 1; j <= other.length(); j++) {
                int changed = above[j - 1] + (one.charAt(i - 1) == other.charAt(j - 1) ? 0 : 1);
                row[j] = Math.min(changed, 1 + Math.min(above[j], row[j - 1]));
            }
            above = row;
        }
        return above[other.length()];
    }
}
