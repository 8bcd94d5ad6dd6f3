package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which refusals of Windows mean that another program has the file open. */
class SharingViolationsTest {
    private static final String SENTENCE = "Der Prozess kann nicht auf die Datei zugreifen, da sie von einem anderen Prozess verwendet wird";

    private final AtomicInteger lessons = new AtomicInteger();
    private final SharingViolations violations = new SharingViolations(() -> {
        lessons.incrementAndGet();
        return SENTENCE;
    });

    private static FileSystemException refusal(String reason) {
        return new FileSystemException("x.lock", null, reason);
    }

    @Test
    void areThoseWithTheSentenceThatTheSystemHasForThem() {
        assertThat(violations.include(refusal(SENTENCE))).isTrue();
        assertThat(violations.include(refusal(SENTENCE))).isTrue();
        assertThat(lessons).as("it is learned once").hasValue(1);
    }

    /** What Windows says of a full disk, of hard links on a file system without them, and of an unknown error. */
    @ParameterizedTest
    @ValueSource(strings = {"Es steht nicht genug Speicherplatz auf dem Datentr\u00e4ger zur Verf\u00fcgung", "Unzul\u00e4ssige Funktion", "Unknown error: 0x4c8", ""})
    void areNoOtherErrors(String reason) {
        assertThat(violations.include(refusal(reason))).isFalse();
        assertThat(violations.include(refusal(null))).isFalse();
    }

    /** The JDK has told these errors apart already, and nothing is asked for them. */
    @Test
    void areNoErrorsThatHaveAnExceptionOfTheirOwn() {
        for (IOException e : new IOException[] {new AccessDeniedException("x", null, SENTENCE), new NoSuchFileException("x", null, SENTENCE),
            new FileAlreadyExistsException("x", null, SENTENCE), new DirectoryNotEmptyException("x"), new IOException(SENTENCE)}) {
            assertThat(violations.include(e)).as("%s", e).isFalse();
        }
        assertThat(lessons).hasValue(0);
    }

    /** Better to ask once more in vain than to take a virus scanner for a broken disk. */
    @Test
    void areAllErrorsWithoutAnExceptionOfTheirOwnWhileTheSentenceIsUnknown() {
        String[] known = new String[1];
        SharingViolations ignorant = new SharingViolations(() -> known[0]);
        assertThat(ignorant.include(refusal("Unzul\u00e4ssige Funktion"))).isTrue();
        known[0] = SENTENCE;
        assertThat(ignorant.include(refusal("Unzul\u00e4ssige Funktion"))).as("it is asked for again").isFalse();
        assertThat(ignorant.include(refusal(SENTENCE))).isTrue();
    }

    @Test
    void cannotBeLearnedWhereNoFileIsOpenedForOneProgramAlone() {
        if (!System.getProperty("os.name").startsWith("Windows")) {
            assertThat(new SharingViolations().include(refusal("anything"))).isTrue();
        }
    }
}
