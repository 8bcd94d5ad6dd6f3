package dev.sessionlock.schedules;

/** Something that must not happen in any schedule. No exception of ours may swallow it, so the scenario {@linkplain Witness remembers} it, too. */
final class Violation extends AssertionError {
    private static final long serialVersionUID = 1;

    Violation(String what) {
        this(what, null);
    }

    Violation(String what, Throwable cause) {
        super(what, cause);
        Witness.remember(this);
    }
}
