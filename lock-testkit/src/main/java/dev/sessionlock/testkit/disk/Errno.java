package dev.sessionlock.testkit.disk;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import org.jspecify.annotations.Nullable;

/** Errors of the system, thrown as the JDK's own provider throws them. */
public enum Errno {
    ENOSPC("No space left on device"),
    EIO("Input/output error"),
    EACCES("Permission denied");

    private final String text;

    Errno(String text) {
        this.text = text;
    }

    /** {@return the exception of an operation on an open channel} */
    IOException onChannel() {
        return new IOException(text);
    }

    /** {@return the exception of an operation on a path} */
    FileSystemException onPath(String file, @Nullable String other) {
        return this == EACCES ? new AccessDeniedException(file, other, null) : new FileSystemException(file, other, text);
    }
}
