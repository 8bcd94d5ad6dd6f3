package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** An editor, or a shell's redirection, writes into the {@code .lock} file while the lock is held. */
class EditedRecordTest {
    private static final int RECORD = 1024;
    /** Far less than the age at which a torn record is replaced. */
    private static final String SOON = "timeout=15000";

    @TempDir
    Path dir;
    private Path file;
    private Path lockFile;

    @BeforeEach
    void nameThem() {
        file = dir.resolve("session.jsonl");
        lockFile = dir.resolve("session.jsonl.lock");
    }

    /** What is done to the file, which stays the same inode. */
    private enum Edit {
        APPENDED {
            @Override
            void apply(Path lock) throws IOException {
                Files.writeString(lock, "# seen by me\n", StandardOpenOption.APPEND);
            }
        },
        LONG_TAIL {
            @Override
            void apply(Path lock) throws IOException {
                Files.writeString(lock, "x".repeat(100_000), StandardOpenOption.APPEND);
            }
        },
        PREPENDED {
            @Override
            void apply(Path lock) throws IOException {
                rewrite(lock, "# seen by me\n" + Files.readString(lock));
            }
        },
        CUT {
            @Override
            void apply(Path lock) throws IOException {
                rewrite(lock, Files.readString(lock).substring(0, 500));
            }
        },
        EMPTIED {
            @Override
            void apply(Path lock) throws IOException {
                rewrite(lock, "\n");
            }
        },
        A_PID {
            @Override
            void apply(Path lock) throws IOException {
                rewrite(lock, ProcessHandle.current().pid() + "\n"); // the pid of a living process
            }
        },
        ANOTHER_TEXT {
            @Override
            void apply(Path lock) throws IOException {
                rewrite(lock, "do not touch\n");
            }
        };

        abstract void apply(Path lock) throws IOException;

        private static void rewrite(Path lock, String text) throws IOException {
            Files.writeString(lock, text, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE);
        }

        boolean leavesTheRecordWhole() {
            return this == APPENDED || this == LONG_TAIL;
        }
    }

    @ParameterizedTest
    @EnumSource
    void recordIsWholeAgainAfterTheNextRenewal(Edit edit) throws Exception {
        try (Puppet holder = Puppet.start(); Puppet next = Puppet.start()) {
            Puppet.Held held = holder.acquire("a", file, "lease=9000", SOON);
            edit.apply(lockFile);
            Awaitility.await().atMost(Puppet.PATIENCE).ignoreExceptions().until(() -> Files.size(lockFile) == RECORD);
            assertThat(Files.readString(lockFile)).contains("\"token\":" + held.token() + ",").endsWith("}\n");
            assertThat(holder.verify("a")).isEqualTo("held");
            assertThat(next.tell("inspect", file).text()).isEqualTo("HELD");
            holder.jvm().kill();
            next.acquire("b", file, SOON);
        }
    }

    @ParameterizedTest
    @EnumSource
    void nextOneIsInWhenItsHolderIsKilledBeforeTheNextRenewal(Edit edit) throws Exception {
        try (Puppet holder = Puppet.start(); Puppet next = Puppet.start()) {
            next.acquire("warm", dir.resolve("other"), SOON);
            holder.acquire("a", file, "lease=600000", SOON);
            edit.apply(lockFile);
            holder.jvm().kill();
            if (!edit.leavesTheRecordWhole()) { // then it must be thirty seconds old, like any torn record
                assertThat(next.tryAcquire("b", file)).isFalse();
                assertThat(next.tell("inspect", file).text()).isEqualTo("TORN");
                Files.setLastModifiedTime(lockFile, FileTime.from(Instant.now().minusSeconds(31)));
            }
            next.acquire("b", file, SOON);
        }
    }

    @Nested
    class RecordFileThatIsUsedAgain {

        @Test
        void isAsLongAsARecordThoughItWasLengthenedUnderAnotherLock() throws Exception {
            try (Puppet holder = Puppet.start(); Puppet next = Puppet.start()) {
                holder.acquire("a", file, SOON);
                Edit.APPENDED.apply(lockFile);
                Object inode = Files.getAttribute(lockFile, "unix:ino");
                holder.close("a");
                Path second = dir.resolve("second.jsonl");
                Path secondLock = dir.resolve("second.jsonl.lock");
                holder.acquire("b", second, SOON);
                assertThat(Files.getAttribute(secondLock, "unix:ino")).as("from the pool").isEqualTo(inode);
                assertThat(new String(Files.readAllBytes(secondLock), StandardCharsets.UTF_8)).hasSize(RECORD).contains("second.jsonl");
                holder.jvm().kill();
                next.acquire("c", second, SOON);
            }
        }
    }
}
