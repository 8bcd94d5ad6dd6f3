package dev.sessionlock.internal.system;

import dev.sessionlock.LockReport.ProcessState;
import java.util.Locale;

/**
 * Whether a process lives, and how we know.
 *
 * @param verdict the verdict; only {@link Verdict#DEAD} allows others to take what it left before its lease is over
 * @param evidence one clause in words, such as {@code pid 30522 does not exist}
 * @param state the letter of its state, as proc(5) has it; 0 if unknown
 */
public record Liveness(Verdict verdict, String evidence, char state) {

    /** What is known. */
    public enum Verdict {
        /** It exists, and it is the same process. */
        ALIVE,
        /** It is gone; there is evidence. */
        DEAD,
        /** Cannot be determined. */
        UNKNOWN
    }

    /** One without a state. */
    public Liveness(Verdict verdict, String evidence) {
        this(verdict, evidence, (char) 0);
    }

    /** {@return the evidence with the verdict, such as {@code pid 30522 does not exist: dead}} */
    public String inWords() {
        return evidence + ": " + verdict.name().toLowerCase(Locale.ROOT);
    }

    /** {@return the same for a report} */
    public ProcessState processState() {
        return switch (verdict) {
            case ALIVE -> isStopped() ? ProcessState.STOPPED : ProcessState.ALIVE;
            case DEAD -> ProcessState.DEAD;
            case UNKNOWN -> ProcessState.UNKNOWN;
        };
    }

    /** {@return whether it is stopped, by a signal or by a debugger} */
    public boolean isStopped() {
        return state == 'T' || state == 't';
    }

    static Liveness alive(String evidence, char state) {
        return new Liveness(Verdict.ALIVE, evidence, state);
    }

    static Liveness dead(String evidence) {
        return new Liveness(Verdict.DEAD, evidence);
    }

    static Liveness unknown(String evidence) {
        return new Liveness(Verdict.UNKNOWN, evidence);
    }
}
