package dev.sessionlock.internal.system;

import java.io.IOException;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** What the system answered to an operation on a name. */
public final class FileAnswer {
    /** The answers. */
    public enum Kind {
        /** It is done. */
        DONE,
        /** There is no such file. */
        NOT_THERE,
        /** Something lies at the new name. */
        NAME_TAKEN,
        /** Another program has the file open in a way that forbids it, and did not close it in time. Only on Windows: {@link SharingViolations} says how it is known. */
        IN_USE,
        /** The system does not allow it, or the disk is in trouble. */
        REFUSED
    }

    static final FileAnswer DONE = new FileAnswer(Kind.DONE, null);

    private final Kind kind;
    private final @Nullable IOException reason;

    FileAnswer(Kind kind, @Nullable IOException reason) {
        this.kind = kind;
        this.reason = reason;
    }

    /** {@return the answer} */
    public Kind kind() {
        return kind;
    }

    /** {@return what the system said, unless it is done} */
    public IOException reason() {
        return Objects.requireNonNull(reason, "reason");
    }

    /**
     * {@return true if it is done, false if there is no such file}
     *
     * @throws IOException the reason, on any other answer
     */
    public boolean done() throws IOException {
        if (kind == Kind.DONE || kind == Kind.NOT_THERE) {
            return kind == Kind.DONE;
        }
        throw reason();
    }

    /**
     * Nothing, if it is done.
     *
     * @throws IOException the reason, on any other answer
     */
    public void requireDone() throws IOException {
        if (kind != Kind.DONE) {
            throw reason();
        }
    }
}
