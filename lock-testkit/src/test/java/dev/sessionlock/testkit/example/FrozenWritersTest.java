package dev.sessionlock.testkit.example;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.CrashLab;
import dev.sessionlock.testkit.CrashTest;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;

/** The writers of the documents, frozen at each of their steps: see {@link WriterTrial}. */
class FrozenWritersTest {

    static final class Right extends WriterTrial.AppendsAndCompacts {
        @Override
        Writer writer(SessionLocks locks, Path session) {
            return new SessionWriter(session, locks);
        }
    }

    @Tag("soak") // FreezingStormTest freezes it at random moments in every build
    @CrashTest
    void writerOnASessionFileLosesNothing(CrashLab lab) throws Exception {
        WriterTrial.frozen(lab, Right.class);
    }

    static final class Replacing extends WriterTrial.Appends {
        @Override
        Writer writer(SessionLocks locks, Path session) {
            return new ReplacingWriter(session, locks);
        }

        @Override
        String tornLine() {
            return "";
        }
    }

    @Tag("soak")
    @CrashTest
    void writerThatReplacesTheFileLosesNothing(CrashLab lab) throws Exception {
        WriterTrial.frozen(lab, Replacing.class);
    }

    static final class Positioned extends WriterTrial.Appends {
        @Override
        Writer writer(SessionLocks locks, Path session) {
            return new TruncatingWriter(session, locks);
        }
    }

    /** It truncates, and writes at a position, under a lock that others may take over. */
    @Tag("soak") // FreezingStormTest finds it in every build
    @CrashTest
    void positionedWriterIsFoundOut(CrashLab lab) {
        AssertionError failure = catchThrowableOfType(AssertionError.class, () -> WriterTrial.frozen(lab, Positioned.class));
        SessionWriterTest.clean(failure);
        assertThat(failure).hasMessageContainingAll("frozen before step 1 of 3: truncate session.jsonl to ",
                "frozen before step 2 of 3: write session.jsonl, ", "at dev.sessionlock.testkit.example.TruncatingWriter.append(TruncatingWriter.java:",
                "meanwhile the other process worked: it ran to its end, and acknowledged: {\"id\":\"other\"}", "LockLostException",
                "what is wrong: ", "but could not find the following element(s):", "-Dsessionlock.crash=freeze:1:before");
    }

    static final class Naive extends WriterTrial.AppendsAndCompacts {
        @Override
        Writer writer(SessionLocks locks, Path session) {
            return new NaiveWriter(locks, session);
        }

        @Override
        String tornLine() {
            return "";
        }
    }

    /** Its compaction replaces what others have written since it read. */
    @Tag("soak")
    @CrashTest
    void naiveWriterIsFoundOut(CrashLab lab) {
        AssertionError failure = catchThrowableOfType(AssertionError.class, () -> WriterTrial.frozen(lab, Naive.class));
        SessionWriterTest.clean(failure);
        assertThat(failure).hasMessageContaining("rename session.jsonl.new -> session.jsonl");
    }
}
