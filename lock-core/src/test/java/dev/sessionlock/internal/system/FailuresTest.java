package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Things that are given back one after the other. */
class FailuresTest {
    private final List<String> closed = new ArrayList<>();

    private Closeable failing(String name, Throwable failure) {
        return () -> {
            closed.add(name);
            if (failure instanceof IOException e) {
                throw e;
            } else if (failure instanceof RuntimeException e) {
                throw e;
            }
            throw (Error) failure;
        };
    }

    @Test
    void eachIsClosedAndTheFirstFailureNamesTheOthers() {
        IOException first = new IOException("first");
        Error second = new Error("second");
        RuntimeException third = new IllegalStateException("third");

        assertThatThrownBy(() -> Failures.closeAll(List.of(() -> closed.add("good"), failing("a", first), failing("b", second), failing("c", third), () -> closed.add("last"))))
                .isSameAs(first).hasSuppressedException(second).hasSuppressedException(third);
        assertThat(closed).containsExactly("good", "a", "b", "c", "last");
    }

    @Test
    void whateverIsThrownFirstIsThrown() {
        Error error = new OutOfMemoryError("none");
        assertThatThrownBy(() -> Failures.closeAll(List.of(failing("a", error), failing("b", error)))).isSameAs(error).hasNoSuppressedExceptions();
        RuntimeException unchecked = new IllegalStateException("no");
        assertThatThrownBy(() -> Failures.closeAll(List.of(failing("c", unchecked)))).isSameAs(unchecked);
        assertThat(closed).containsExactly("a", "b", "c");
    }

    @Test
    void whatIsNotThereIsNotClosed() {
        assertThatCode(() -> Failures.closeAll(Arrays.asList(null, () -> closed.add("good"), null))).doesNotThrowAnyException();
        assertThat(closed).containsExactly("good");
    }
}
