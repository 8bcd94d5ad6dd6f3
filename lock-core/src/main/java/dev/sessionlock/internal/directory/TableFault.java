package dev.sessionlock.internal.directory;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A word of the shared table could not be read or written: the file was cut short under us, or the disk took no write. The operation on that word
 * counts as not done. The floor above makes an ordinary {@link IOException} of it.
 *
 * <p>Unchecked, since words are read in many places; a subtype of {@link UncheckedIOException}, so that nobody needs a second handler.
 */
public final class TableFault extends UncheckedIOException {
    private static final long serialVersionUID = 1L;

    private TableFault(IOException cause) {
        super(cause.getMessage(), cause);
    }

    /** {@return the fault of a mapped page that could not be accessed} */
    static TableFault ofPage(Path file, @Nullable InternalError error) {
        return new TableFault(new IOException(file + ", the shared table of the locks of this directory, could not be accessed in memory: it was cut "
                + "short, or its disk takes no writes. One that was cut short is made anew at once: try again. Else make room on the disk", error));
    }

    /** {@return the fault of a file that is shorter than it was created} */
    public static TableFault cutShort(Path file) {
        return new TableFault(new IOException(file + ", the shared table of the locks of this directory, was cut short; it is made anew at once: try "
                + "again"));
    }

    /**
     * {@return the fault of a table that was replaced by another one} Its cause makes the caller resolve the path again, which may lead to another
     * directory by now.
     */
    static TableFault replaced() {
        return new TableFault(new NoSuchFileException(TableLayout.FILE, null, "the shared table of the locks of this directory was replaced while the lock was "
                + "taken; try again"));
    }

    /** {@return the fault of a read or write that the system refused} */
    static TableFault of(Path file, IOException refusal) {
        return new TableFault(new IOException(file + ", the shared table of the locks of this directory: " + refusal.getMessage(), refusal));
    }
}
