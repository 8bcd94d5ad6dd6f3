package dev.sessionlock.internal.system;

import java.io.IOException;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Tells whether Windows has refused something because another program has the file open in a way that forbids it: {@code ERROR_SHARING_VIOLATION}.
 *
 * <p>The JDK keeps the number of an error to itself ({@code sun.nio.fs.WindowsException.translateToIOException}). It has an exception of its own for a few numbers only:
 * {@code ERROR_FILE_NOT_FOUND} and {@code ERROR_PATH_NOT_FOUND}, {@code ERROR_FILE_EXISTS} and {@code ERROR_ALREADY_EXISTS}, {@code ERROR_ACCESS_DENIED} and {@code
 * ERROR_PRIVILEGE_NOT_HELD}. Each other error is a {@link FileSystemException}, and no subclass of it, whose reason is the sentence of {@code FormatMessage}, in the user's
 * language: a sharing violation, a full disk, and a file system without hard links.
 *
 * <p>So the sentence is learned from the system itself, when it is first needed: a file of ours is opened so that nobody else may, and then once more. Only a refusal with the
 * very same sentence counts. Where it cannot be learned (no folder for temporary files, no module {@code jdk.unsupported}), each error without an exception of its own counts.
 */
final class SharingViolations {
    private static final String NOT_SHARED = "com.sun.nio.file.ExtendedOpenOption";

    private final Teacher teacher;
    private volatile @Nullable String sentence;

    SharingViolations() {
        this(SharingViolations::provoke);
    }

    /** @param teacher asked when the sentence is first needed, and again if it does not know it then */
    SharingViolations(Teacher teacher) {
        this.teacher = teacher;
    }

    /** What knows how the system tells a sharing violation. */
    interface Teacher {
        /** {@return the sentence; null if it cannot be learned now} */
        @Nullable String sentence();
    }

    /** {@return whether this is a sharing violation, as far as can be told} */
    boolean include(IOException e) {
        if (e.getClass() != FileSystemException.class) {
            return false;
        }
        String known = sentence;
        if (known == null) {
            known = teacher.sentence();
            sentence = known;
        }
        return known == null || known.equals(((FileSystemException) e).getReason());
    }

    private static @Nullable String provoke() {
        try {
            Path file = Files.createTempFile("sessionlock-", null);
            try {
                return sentenceOf(file);
            } finally {
                Files.deleteIfExists(file);
            }
        } catch (IOException | ReflectiveOperationException | RuntimeException e) {
            return null;
        }
    }

    private static @Nullable String sentenceOf(Path file) throws IOException, ReflectiveOperationException {
        SeekableByteChannel alone = Files.newByteChannel(file, alone());
        try {
            Files.newByteChannel(file).close();
            return null; // this is not Windows
        } catch (FileSystemException e) {
            return e.getClass() == FileSystemException.class ? e.getReason() : null;
        } finally {
            alone.close();
        }
    }

    /** By name: the module need not be there. */
    private static Set<OpenOption> alone() throws ReflectiveOperationException {
        Set<OpenOption> options = new HashSet<>(Set.of(StandardOpenOption.WRITE));
        for (Object option : Class.forName(NOT_SHARED).getEnumConstants()) {
            if (option.toString().startsWith("NOSHARE_")) {
                options.add((OpenOption) option);
            }
        }
        return options;
    }
}
