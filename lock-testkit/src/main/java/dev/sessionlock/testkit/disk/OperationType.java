package dev.sessionlock.testkit.disk;

import java.util.Locale;

/** The kinds of file operations, and the errors with which the system may answer each. */
public enum OperationType {
    CREATE(true, true, false, true),
    MKDIR(true, true, false, true),
    SYMLINK(true, true, false, true),
    LINK(true, true, false, true),
    WRITE(true, true, true, false),
    TRUNCATE(true, false, true, false),
    FORCE(true, true, true, false),
    DELETE(true, false, false, true),
    /** A rename may need room for the new entry in the directory. */
    RENAME(true, true, false, true),
    ATTRIBUTES(true, false, false, true),
    OPEN(false, false, false, true),
    READ(false, false, true, false),
    LIST(false, false, true, true);

    private final boolean change;
    private final boolean space;
    private final boolean data;
    private final boolean name;

    OperationType(boolean change, boolean space, boolean data, boolean name) {
        this.change = change;
        this.space = space;
        this.data = data;
        this.name = name;
    }

    /** {@return whether it changes what is on the disk, or what a power cut would leave of it} */
    public boolean isChange() {
        return change;
    }

    /** {@return whether the system may answer it with this error} */
    public boolean mayFailWith(Errno errno) {
        return switch (errno) {
            case ENOSPC -> space;
            case EIO -> data;
            case EACCES -> name;
        };
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
