package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** With more than one copy of the library in a JVM no guard is ever closed. */
class CopiesTest {
    private final AtomicInteger closed = new AtomicInteger();
    private final String before;

    CopiesTest() {
        Copies.countIn();
        before = System.getProperty(Copies.PROPERTY);
    }

    @AfterEach
    void restore() {
        System.setProperty(Copies.PROPERTY, before);
    }

    private boolean close() throws IOException {
        return Copies.closeIfAlone(closed::incrementAndGet);
    }

    @Test
    void theOnlyCopyClosesItsGuards() throws IOException {
        assertThat(before).isEqualTo("1");
        Copies.countIn();
        assertThat(System.getProperty(Copies.PROPERTY)).as("a copy counts once").isEqualTo("1");
        assertThat(close()).isTrue();
        assertThat(closed).hasValue(1);
    }

    @Test
    void besideAnotherCopyNothingIsClosed() throws IOException {
        System.setProperty(Copies.PROPERTY, "2");
        assertThat(close()).isFalse();
        assertThat(closed).hasValue(0);
    }

    @Test
    void whenTheCountCannotBeReadNothingIsClosed() throws IOException {
        System.setProperty(Copies.PROPERTY, "nonsense");
        assertThat(close()).isFalse();
    }

    @Test
    void theSystemPropertiesCanStillBeStored() throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        System.getProperties().store(out, null);
        assertThat(out.toString(java.nio.charset.StandardCharsets.ISO_8859_1)).contains(Copies.PROPERTY + "=1");
    }
}
