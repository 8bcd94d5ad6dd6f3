package dev.sessionlock.internal.system;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.FileSystemException;

/**
 * Why the system refused something, in its own words and without the names of files, which may hold the same words. The JDK passes on many of the
 * system's errors in no other form.
 */
public final class SystemReason {

    private SystemReason() {
    }

    /** {@return the system's reason, such as {@code No space left on device}; empty if it gave none} */
    public static String of(IOException e) {
        String message = e.getMessage();
        if (e instanceof FileSystemException known) {
            return known.getReason() == null ? "" : known.getReason();
        } else if (message == null) {
            return "";
        } else if (e.getClass() == FileNotFoundException.class) { // its message is: name (reason)
            int name = message.lastIndexOf(" (");
            return name < 0 || !message.endsWith(")") ? "" : message.substring(name + 2, message.length() - 1);
        }
        return message;
    }
}
