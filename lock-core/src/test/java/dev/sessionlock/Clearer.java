package dev.sessionlock;

import java.nio.file.Path;

/** Another process that clears a lock again and again, until its standard input ends. At the end it prints how often it cleared one. */
final class Clearer {
    private Clearer() {
    }

    public static void main(String[] args) throws Exception {
        long cleared = 0;
        try (SessionLocks locks = SessionLocks.create()) {
            for (boolean said = false; System.in.available() == 0; ) {
                for (ClearReport report : locks.clear(Path.of(args[0]), ClearOptions.forReal())) {
                    cleared += report.outcome() == ClearReport.Outcome.CLEARED ? 1 : 0;
                }
                if (cleared > 0 && !said) {
                    said = true;
                    System.out.println("cleared one");
                }
            }
        }
        System.out.println("cleared " + cleared);
    }
}
