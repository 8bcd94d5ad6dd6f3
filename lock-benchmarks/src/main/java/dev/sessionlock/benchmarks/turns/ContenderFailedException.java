package dev.sessionlock.benchmarks.turns;

import java.io.IOException;

/** One of the contenders threw something. The others can take turns without it. */
public final class ContenderFailedException extends IOException {
    private static final long serialVersionUID = 1;

    private final transient Contender contender;
    private final String reason;

    /**
     * Names the contender.
     *
     * @param contender that failed
     * @param reason why, for a person
     */
    public ContenderFailedException(Contender contender, String reason) {
        super(contender + ": " + reason);
        this.contender = contender;
        this.reason = reason;
    }

    /** {@return the contender that failed} */
    public Contender contender() {
        return contender;
    }

    /** {@return why, for a person} */
    public String reason() {
        return reason;
    }
}
