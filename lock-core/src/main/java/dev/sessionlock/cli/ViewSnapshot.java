package dev.sessionlock.cli;

import java.time.Instant;
import java.util.List;

/**
 * The result of one look at a directory.
 *
 * @param rows what is locked or waited for, the worst first
 * @param unreadable how many directories could not be read
 * @param unnamed what is there and cannot be named, a sentence each
 * @param at when it was
 */
record ViewSnapshot(List<LockRow> rows, int unreadable, List<String> unnamed, Instant at) {

    long locked() {
        return rows.stream().filter(LockRow::isLocked).count();
    }

    long needPerson() {
        return rows.stream().filter(LockRow::needsPerson).count();
    }

    long longHeld() {
        return rows.stream().filter(LockRow::isLong).count();
    }

    long waitedFor() {
        return rows.stream().filter(row -> row.waiting() > 0).count();
    }
}
