package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** While another copy of the library uses locks in a JVM, no guard file is closed. */
class LibraryCopiesTest {
    private static final String PROPERTY = "dev.sessionlock.copies.of-the-test";

    private final AtomicInteger closed = new AtomicInteger();
    private final LibraryCopies one = new LibraryCopies(PROPERTY);
    private final LibraryCopies other = new LibraryCopies(PROPERTY);

    @AfterEach
    void forget() {
        System.clearProperty(PROPERTY);
        System.clearProperty(PROPERTY + ".closings");
    }

    private boolean close() throws IOException {
        return one.closeIfAlone(closed::incrementAndGet);
    }

    @Test
    void theOnlyCopyClosesItsGuards() throws IOException {
        one.enter();
        one.enter();
        assertThat(System.getProperty(PROPERTY)).as("a copy counts once").isEqualTo("1");
        assertThat(close()).isTrue();
        one.leave();
        assertThat(close()).isTrue();
        assertThat(closed).hasValue(2);
    }

    @Test
    void besideAnotherCopyThatIsInUseNothingIsClosed() throws IOException {
        one.enter();
        other.enter();
        assertThat(close()).isFalse();
        one.leave();
        assertThat(close()).isFalse();
        assertThat(closed).hasValue(0);
    }

    @Test
    void besideAnotherCopyThatIsNotInUseTheGuardsAreClosed() throws IOException {
        one.enter();
        other.enter();
        other.leave();
        assertThat(close()).isTrue();
    }

    @Test
    void aCopySeesThatAnotherHasClosedSomethingMeanwhile() throws IOException {
        assertThat(other.enter()).isFalse();
        other.leave();
        assertThat(close()).isTrue();
        assertThat(one.enter()).as("its own closing").isFalse();
        assertThat(other.enter()).isTrue();
        assertThat(other.enter()).as("once").isFalse();
    }

    /** Some guard files may be closed by then, and the kernel has dropped the bytes in them. */
    @Test
    void aCopySeesThatAnotherHasClosedSomethingThoughThatFailed() throws IOException {
        other.enter();
        other.leave();
        assertThatThrownBy(() -> one.closeIfAlone(() -> {
            throw new IOException("half closed");
        })).hasMessage("half closed");
        assertThat(one.enter()).as("its own closing").isFalse();
        assertThat(other.enter()).isTrue();
    }

    @Test
    void whenTheCountCannotBeReadNothingIsClosed() throws IOException {
        System.setProperty(PROPERTY, "nonsense");
        assertThat(close()).isFalse();
    }

    @Test
    void theSystemPropertiesCanStillBeStored() throws IOException {
        one.enter();
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        System.getProperties().store(out, null);
        assertThat(out.toString(StandardCharsets.ISO_8859_1)).contains(PROPERTY + "=1");
    }
}
