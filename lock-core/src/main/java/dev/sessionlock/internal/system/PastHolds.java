package dev.sessionlock.internal.system;

import dev.sessionlock.PastHold;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Entries of a history, as a reader wants them. */
public final class PastHolds {

    private PastHolds() {
    }

    /**
     * {@return the last of these, the latest end first} What is there twice counts once. Of several entries about one hold, the holder's own counts, or else the first.
     *
     * @param entries in the order in which they were written
     * @param most how many at most
     */
    public static List<PastHold> latest(List<PastHold> entries, int most) {
        List<PastHold> all = new ArrayList<>(new LinkedHashSet<>(entries));
        all.sort(Comparator.comparing(PastHold::until)); // stable: of the same moment, as they were written
        Map<Told, PastHold> told = told(all);
        List<PastHold> last = new ArrayList<>();
        for (int i = all.size() - 1; i >= 0 && last.size() < most; i--) {
            PastHold hold = all.get(i);
            if (!isFound(hold) || told.getOrDefault(Told.of(hold), hold) == hold) {
                last.add(hold);
            }
        }
        return List.copyOf(last);
    }

    /** A hold, of which its holder, if it still could, and each process that met what it had left may have written an entry. */
    private record Told(String name, @Nullable Long token, long pid) {
        static Told of(PastHold hold) {
            return new Told(hold.name(), hold.token(), hold.pid());
        }
    }

    /** {@return whether another process than the holder has told how it ended} */
    private static boolean isFound(PastHold hold) {
        return hold.waited() == null;
    }

    /** {@return of each hold that another process has told of, the entry that counts} */
    private static Map<Told, PastHold> told(List<PastHold> all) {
        Map<Told, PastHold> told = new HashMap<>();
        for (PastHold hold : all) {
            if (isFound(hold) && hold.token() != null) {
                told.putIfAbsent(Told.of(hold), hold);
            }
        }
        for (PastHold hold : all) {
            if (!isFound(hold)) {
                told.computeIfPresent(Told.of(hold), (key, found) -> hold);
            }
        }
        return told;
    }

    /** {@return the ending of that name; {@link PastHold.Ending#UNKNOWN} if a later version has written it} */
    public static PastHold.Ending endingNamed(@Nullable String name) {
        for (PastHold.Ending known : PastHold.Ending.values()) {
            if (known.name().equals(name)) {
                return known;
            }
        }
        return PastHold.Ending.UNKNOWN;
    }
}
