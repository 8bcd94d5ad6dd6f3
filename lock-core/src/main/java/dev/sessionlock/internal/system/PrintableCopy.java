package dev.sessionlock.internal.system;

import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;

/**
 * Stands in for a throwable whose message must not be shown as it is: prints like the original, with a {@linkplain Printable printable} message, and
 * so do its causes. The JDK's exceptions contain file names, and a stack trace prints them raw.
 */
final class PrintableCopy extends Throwable {
    private static final long serialVersionUID = 1L;

    private final String shown;

    private PrintableCopy(Throwable original, Set<Throwable> copied) {
        copied.add(original);
        shown = shown(original);
        setStackTrace(original.getStackTrace());
        Throwable cause = original.getCause();
        if (cause != null && !copied.contains(cause)) {
            initCause(new PrintableCopy(cause, copied));
        }
        for (Throwable suppressed : original.getSuppressed()) {
            if (!copied.contains(suppressed)) {
                addSuppressed(new PrintableCopy(suppressed, copied));
            }
        }
    }

    /** Called for its class to be loaded. */
    static void load() {
        // nothing else to do
    }

    /** {@return the throwable itself, or a copy if its message, or that of a cause, must not be shown as it is} */
    static Throwable ifNeeded(Throwable thrown) {
        for (Throwable each : withThoseBehind(thrown)) {
            if (!shown(each).equals(String.valueOf(each))) {
                return new PrintableCopy(thrown, identitySet());
            }
        }
        return thrown;
    }

    /** Our own exceptions may have several lines, and are printable line by line. */
    private static String shown(Throwable thrown) {
        String said = String.valueOf(thrown);
        return thrown instanceof dev.sessionlock.LockException ? Printable.lines(said) : Printable.text(said);
    }

    private static List<Throwable> withThoseBehind(Throwable thrown) {
        List<Throwable> all = new ArrayList<>(List.of(thrown));
        Set<Throwable> known = identitySet();
        known.add(thrown);
        for (int i = 0; i < all.size(); i++) {
            Throwable cause = all.get(i).getCause();
            if (cause != null && known.add(cause)) {
                all.add(cause);
            }
            for (Throwable suppressed : all.get(i).getSuppressed()) {
                if (known.add(suppressed)) {
                    all.add(suppressed);
                }
            }
        }
        return all;
    }

    private static Set<Throwable> identitySet() {
        return Collections.newSetFromMap(new IdentityHashMap<>());
    }

    @Override
    public String getMessage() {
        return shown;
    }

    @Override
    public String toString() {
        return shown;
    }
}
