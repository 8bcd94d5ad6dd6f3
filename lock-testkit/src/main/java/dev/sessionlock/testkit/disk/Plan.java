package dev.sessionlock.testkit.disk;

import java.util.Locale;

/**
 * The fault of one run, in the form in which the child gets it and a failure names it.
 *
 * @param kind what happens
 * @param step the number of the operation at which it happens, from 1, among those that the kind counts
 * @param how details: where in the operation, which error, how long
 */
public record Plan(Kind kind, int step, String how) {
    /** No fault. */
    public static final Plan NOTHING = new Plan(Kind.NONE, 0, "");

    /** Before the operation, or after it. */
    public static final String BEFORE = "before";
    public static final String AFTER = "after";
    /** After this much of a write. */
    public static final String ONE_BYTE = "1";
    public static final String HALF = "half";
    public static final String ALL_BUT_ONE = "most";
    /** An error: once; once, after half of a write; from there on. */
    public static final String ONCE = "once";
    public static final String FROM_THERE = "full";

    /** The kinds of faults. */
    public enum Kind {
        /** None. */
        NONE,
        /** The process is killed. */
        KILL,
        /** The process is stopped, since the power is cut. */
        POWER,
        /** An operation fails. */
        FAIL,
        /** An operation is late. */
        DELAY,
        /** The whole process is frozen, and woken later. */
        FREEZE;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * {@return the plan that a text describes}
     *
     * @throws IllegalArgumentException if it describes none
     */
    public static Plan parse(String text) {
        String[] parts = text.split(":", 3);
        try {
            int step = Integer.parseInt(parts[1]);
            return new Plan(Kind.valueOf(parts[0].toUpperCase(Locale.ROOT)), step, parts[2]);
        } catch (IllegalArgumentException | ArrayIndexOutOfBoundsException e) {
            throw new IllegalArgumentException("\"" + text + "\" names no run of a lab; it should read like kill:17:half, power:17:0+none, "
                    + "fail:17:ENOSPC-once, delay:17:500 or freeze:17:before", e);
        }
    }

    boolean befalls(Kind kind, int step) {
        return this.kind == kind && this.step == step;
    }

    boolean stops(int number, String where) {
        return step == number && (kind == Kind.KILL && how.equals(where) || kind == Kind.POWER && where.equals(BEFORE));
    }

    boolean freezes(int number, String where) {
        return kind == Kind.FREEZE && step == number && how.equals(where);
    }

    /** {@return after how many bytes it stops within a write of this length; negative if it does not} */
    int stopsWithin(int number, int length) {
        return kind == Kind.KILL && step == number ? part(how, length) : -1;
    }

    /** {@return how many bytes a part of a write has; negative if a write is too short for such a part} */
    public static int part(String how, int length) {
        int part = switch (how) {
            case ONE_BYTE -> 1;
            case HALF -> length / 2;
            case ALL_BUT_ONE -> length - 1;
            default -> -1;
        };
        return part > 0 && part < length ? part : -1;
    }

    Errno errno() {
        return Errno.valueOf(how.substring(0, how.indexOf('-')));
    }

    String manner() {
        return how.substring(how.indexOf('-') + 1);
    }

    @Override
    public String toString() {
        return kind + ":" + step + ":" + how;
    }
}
