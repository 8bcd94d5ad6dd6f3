package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** By which path a file is reached, and by which a person knows it. */
class AnchoredPathsTest {
    @TempDir
    Path temp;
    private Path home;
    private Path folder;

    @BeforeEach
    void make() throws IOException {
        home = temp.toRealPath();
        folder = Files.createDirectory(home.resolve(LockDirectory.INNER));
    }

    @Test
    void whereNobodyElseChangesNamesTheyAreTheSame() throws IOException {
        AnchoredPaths paths = new AnchoredPaths(home, null);
        assertThat(paths.areAnchored()).isFalse();
        assertThat(paths.home()).isEqualTo(home);
        assertThat(paths.inner()).isEqualTo(folder);
        assertThat(paths.reached(home.resolve("x"))).isEqualTo(home.resolve("x"));
        assertThat(paths.named(home.resolve("x"))).isEqualTo(home.resolve("x"));
        IOException e = new NoSuchFileException(home.resolve("x").toString());
        assertThat(paths.named(e)).isSameAs(e);
        paths.leave();
    }

    @Nested
    class WhereOthersMayChangeNames {
        private AnchoredPaths paths;

        @BeforeEach
        void openIt() throws IOException {
            if (!DescriptorPath.isToBeHad()) {
                System.out.println("SKIPPED a test of paths through /proc: there is none");
            }
            Assumptions.assumeTrue(DescriptorPath.isToBeHad(), "open files have no paths here");
            paths = new AnchoredPaths(home, DescriptorPath.of(home));
        }

        @AfterEach
        void closeIt() throws IOException {
            paths.leave();
        }

        @Test
        void filesAreReachedThroughTheOpenDirectory() throws IOException {
            assertThat(paths.areAnchored()).isTrue();
            assertThat(paths.home().toString()).startsWith("/proc/self/fd/");
            Files.createFile(paths.home().resolve("x"));
            assertThat(home.resolve("x")).exists();
            assertThat(paths.reached(home.resolve("x"))).isEqualTo(paths.home().resolve("x"));
            assertThat(paths.named(paths.home().resolve("x"))).isEqualTo(home.resolve("x"));
            for (Path elsewhere : new Path[] {temp.resolve("a/b"), Path.of("x")}) {
                assertThat(paths.reached(elsewhere)).isEqualTo(elsewhere);
                assertThat(paths.named(elsewhere)).isEqualTo(elsewhere);
            }
        }

        @Test
        void filesInTheFolderAreReachedThroughItOnceItIsOpen() throws IOException {
            assertThat(paths.inner()).isEqualTo(folder);
            assertThat(paths.reached(folder.resolve("guard-00"))).isEqualTo(folder.resolve("guard-00"));
            assertThat(paths.named(folder.resolve("guard-00"))).isEqualTo(folder.resolve("guard-00"));

            paths.enterInner(DescriptorPath.of(folder));

            assertThat(paths.inner().toString()).startsWith("/proc/self/fd/").isNotEqualTo(paths.home().toString());
            assertThat(paths.reached(folder.resolve("guard-00"))).isEqualTo(paths.inner().resolve("guard-00"));
            assertThat(paths.named(paths.inner().resolve("guard-00"))).isEqualTo(folder.resolve("guard-00"));
            assertThat(paths.reached(home.resolve("x"))).isEqualTo(paths.home().resolve("x"));
            assertThat(paths.named(home.resolve("a/b"))).isEqualTo(home.resolve("a/b"));
        }

        @Test
        void whatIsOpenIsClosedWithItsLastUser() throws IOException {
            DescriptorPath first = DescriptorPath.of(folder);
            paths.enterInner(first);
            DescriptorPath second = DescriptorPath.of(folder);
            paths.enterInner(second);
            assertThat(first.path()).as("nobody uses it any more").doesNotExist();
            paths.enter();

            paths.leave();

            assertThat(paths.home()).exists();
            assertThat(second.path()).exists();
            paths.enter();
            paths.leave();
            paths.leave();
            assertThat(second.path()).as("it leads nowhere").doesNotExist();
            assertThat(paths.home()).doesNotExist();
        }

        /** The kind tells a program what happened, and the path a person where. */
        @Test
        void failuresAreToldOfByTheNameThatAPersonKnows() {
            String reached = paths.home().resolve("x").toString();
            String known = home.resolve("x").toString();
            for (FileSystemException e : new FileSystemException[] {new AccessDeniedException(reached, null, "why"), new NoSuchFileException(reached, null, "why"),
                    new FileAlreadyExistsException(reached, null, "why"), new FileSystemException(reached, null, "why")}) {
                IOException told = paths.named(e);
                assertThat(told).isExactlyInstanceOf(e.getClass()).hasMessage(known + ": why").hasCause(e);
            }
            assertThat(paths.named(new FileSystemLoopException(reached))).isExactlyInstanceOf(FileSystemException.class).hasMessageStartingWith(known);
            FileSystemException ofAnother = new NoSuchFileException("/elsewhere/x");
            assertThat(paths.named((IOException) ofAnother)).isSameAs(ofAnother);
        }

        @Test
        void messagesNameThePathThatAPersonKnows() throws IOException {
            paths.enterInner(DescriptorPath.of(folder));
            assertThat(paths.named(new IOException(paths.home() + "/x is full"))).hasMessage(home + "/x is full");
            assertThat(paths.named(new IOException(paths.inner() + "/board is full"))).hasMessage(folder + "/board is full");
            IOException unrelated = new IOException("no space");
            assertThat(paths.named(unrelated)).isSameAs(unrelated);
            IOException silent = new IOException();
            assertThat(paths.named(silent)).isSameAs(silent);
        }
    }
}
