package dev.sessionlock.internal.directory;

import java.io.IOException;
import java.nio.file.Path;

/** This file system refuses hard links; the same step now works the other way. */
public final class LinksRefusedException extends IOException {
    private static final long serialVersionUID = 1L;

    public LinksRefusedException(Path where) {
        super(where + " refuses hard links");
    }
}
