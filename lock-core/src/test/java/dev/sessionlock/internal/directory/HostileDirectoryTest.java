package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.ClearOptions;
import dev.sessionlock.LockException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.SessionFile;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Root works in a directory of another user, who puts other files in the place of those that the library creates there. Only files of the directory
 * may be written to, given away, or created.
 *
 * <p>On the code of November 2026, which used stat, chown and chmod by path, {@code attacker.c} found: {@code link} and {@code move} got a file of
 * root in the first rounds, and {@code folder} caused files to be created in a directory of root.
 */
class HostileDirectoryTest {
    private static final String SECRET = "secret\n".repeat(10_000);
    private static final LockOptions ONCE = LockOptions.defaults().withTimeout(Duration.ZERO);

    @TempDir
    Path temp;
    private Path home;
    private Path session;
    private Path inner;
    private Path victim;
    private SessionLocks locks;

    @BeforeEach
    void directoryOfAnotherUser() throws IOException {
        Attacker.require();
        Files.setAttribute(temp, "unix:mode", 0755);
        home = ownedByNobody(temp.resolve("home"), 0755);
        session = Files.createFile(home.resolve("session.jsonl"));
        inner = home.resolve(".session-locks");
        victim = secret(temp.resolve("victim"));
        locks = SessionLocks.create();
    }

    @AfterEach
    void close() {
        if (locks != null) {
            locks.close();
        }
    }

    private static Path ownedByNobody(Path dir, int mode) throws IOException {
        Files.createDirectory(dir);
        Files.setAttribute(dir, "unix:uid", Attacker.NOBODY);
        Files.setAttribute(dir, "unix:gid", Attacker.NOBODY);
        Files.setAttribute(dir, "unix:mode", mode);
        return dir;
    }

    private static Path secret(Path file) throws IOException {
        Files.writeString(file, SECRET);
        Files.setAttribute(file, "unix:mode", 0600);
        return file;
    }

    /** {@return owner, mode and length of all files of root outside of .session-locks} */
    private static Map<String, String> stateOf(Path... files) throws IOException {
        Map<String, String> all = new TreeMap<>();
        for (Path file : files) {
            Map<String, Object> unix = Files.readAttributes(file, "unix:uid,mode,nlink", LinkOption.NOFOLLOW_LINKS);
            all.put(file.toString(), unix.get("uid") + " " + Integer.toOctalString((int) unix.get("mode")) + " "
                    + (Files.isRegularFile(file) ? Files.readString(file).equals(SECRET) : namesIn(file)));
        }
        return all;
    }

    private static String namesIn(Path dir) throws IOException {
        try (Stream<Path> names = Files.list(dir)) {
            return names.sorted().toList().toString();
        }
    }

    /** Whether the library accepts or refuses it, no harm may be done. */
    private void lockAndClear(Path file) throws InterruptedException {
        try (SessionLocks mine = SessionLocks.create()) {
            try (SessionLock lock = mine.acquire(file, ONCE)) {
                assertThat(lock.token()).isPositive();
            } catch (LockException refused) {
                assertThat(refused).hasMessageContaining(file.toString());
            }
            Path record = file.resolveSibling(file.getFileName() + ".lock");
            try {
                Files.write(record, LockRecords.of(4_000_000, 1, Duration.ofSeconds(30), true), StandardOpenOption.CREATE_NEW);
                mine.clear(file, ClearOptions.forReal());
            } catch (IOException refused) {
                assertThat(refused.getMessage()).isNotNull();
            }
        }
    }

    /** With a real program, which may be too late in some rounds. */
    @Nested
    class WhileNewFilesAreSwapped {
        private void attack(String how, int rounds) throws Exception {
            Path program = Attacker.compileIn(temp);
            for (int i = 0; i < rounds; i++) {
                Path dir = ownedByNobody(temp.resolve("round-" + i), 0755);
                boolean folder = how.equals("folder");
                Path watched = folder ? dir : ownedByNobody(dir.resolve(".session-locks"), 0755);
                Path target = folder ? Files.createDirectory(temp.resolve("victim-" + i)) : how.equals("move") ? secret(dir.resolve("notes")) : victim;
                Map<String, String> before = stateOf(target);
                Object key = FileKey.of(target);
                try (Attacker attacker = Attacker.start(program, how, watched, target)) {
                    lockAndClear(dir.resolve("session.jsonl"));
                    assertThat(attacker.isAtWork()).isTrue();
                }
                assertThat(stateOf(whereItIs(target, watched, key))).as("round %d", i).hasSameSizeAs(before)
                        .allSatisfy((path, state) -> assertThat(before).containsValue(state));
            }
        }

        /** {@return where a file is now} */
        private Path whereItIs(Path target, Path watched, Object key) throws IOException {
            if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
                return target;
            }
            try (Stream<Path> all = Files.list(watched)) {
                return all.filter(path -> key.equals(FileKey.ofOrNull(path))).findFirst().orElseThrow();
            }
        }

        @ParameterizedTest
        @ValueSource(strings = {"link", "move", "folder"})
        void nothingOfRootsIsTouched(String how) throws Exception {
            attack(how, 5);
        }

        @Tag("soak")
        @ParameterizedTest
        @ValueSource(strings = {"link", "move", "folder"})
        void nothingOfRootsIsTouchedInManyRounds(String how) throws Exception {
            attack(how, Integer.getInteger("hostile.rounds", 500));
        }
    }

    @Nested
    class OnceItIsOpen {
        @Test
        void theNameOfTheFolderLeadsNowhereElse() throws Exception {
            Path elsewhere = Files.createDirectory(temp.resolve("elsewhere"));
            FileMode mode = FileMode.of(home);
            mode.createDirectoryIfMissing(inner);
            Files.move(inner, home.resolve("away"));
            Files.createSymbolicLink(inner, elsewhere);

            mode.create(inner.resolve("claim-1")).file().close();
            mode.createIfMissing(inner.resolve("guard-00"));
            mode.createIfMissing(mode.inner().resolve("guard-01"));

            assertThat(elsewhere).isEmptyDirectory();
            assertThat(namesIn(home.resolve("away"))).contains("claim-1", "guard-00", "guard-01");
            assertThat(Files.getAttribute(home.resolve("away/claim-1"), "unix:uid")).as("the owner of the directory can open it")
                    .isEqualTo(Attacker.NOBODY);
        }

        @Test
        void noLockIsGivenOutWhereTheFolderWasReplaced() throws Exception {
            Path elsewhere = Files.createDirectory(temp.resolve("elsewhere"));
            locks.acquire(session, ONCE).close();
            Files.move(inner, home.resolve("away"));
            Files.createSymbolicLink(inner, elsewhere);

            assertThatThrownBy(() -> locks.acquire(home.resolve("other.jsonl"), ONCE)).isInstanceOf(LockException.class)
                    .hasMessageContaining(inner + " is not a directory; somebody put it there: remove it");
            assertThat(elsewhere).isEmptyDirectory();
            assertThat(home.resolve("other.jsonl.lock")).doesNotExist();
        }

        @Test
        void whatIsOpenIsTheFileWhateverItsName() throws Exception {
            Path file = Files.createFile(home.resolve("file"));
            try (FileChannel open = FileChannel.open(file, StandardOpenOption.WRITE)) {
                Files.move(file, home.resolve("away"));
                Files.createSymbolicLink(file, victim);

                Thread.currentThread().interrupt();
                Path path = DescriptorPath.pathOf(open);
                assertThat(Thread.interrupted()).isTrue();
                Files.setAttribute(path, "unix:mode", 0640);
                Files.setAttribute(path, "unix:uid", Attacker.NOBODY);
                assertThat(open.position()).isZero();
            }
            assertThat(stateOf(home.resolve("away")).toString()).contains(Attacker.NOBODY + " 100640");
            assertThat(stateOf(victim).toString()).contains("0 100600 true");
        }
    }

    /** Root appends to a session, and compacts it. */
    @Nested
    class SessionFileOfAnotherUser {
        private void isRefused(String why) throws Exception {
            SessionFile file = SessionFile.of(session, locks);
            assertThatIOException().isThrownBy(() -> file.append("line")).withMessageContaining(why);
            assertThatIOException().isThrownBy(() -> file.compact(lines -> List.of("line"))).withMessageContaining(why);
        }

        @ParameterizedTest
        @ValueSource(strings = {"", "torn"})
        void thatIsALinkIsRefused(String end) throws Exception {
            Files.writeString(victim, SECRET + end);
            Files.delete(session);
            Files.createSymbolicLink(session, victim);
            isRefused(session + " is not an ordinary file; somebody put it there: remove it");
            assertThat(victim).hasContent(SECRET + end);
        }

        @Test
        void thatIsAnotherFileOfRootsIsRefused() throws Exception {
            Files.delete(session);
            Files.createLink(session, victim);
            assertThatIOException().isThrownBy(() -> SessionFile.of(session, locks).append("line"))
                    .withMessageContaining(session + " has 2 names (hard links) and belongs to user 0");
            assertThat(victim).hasContent(SECRET);
        }

        @Test
        void isWrittenAndStaysItsOwners() throws Exception {
            Files.setAttribute(session, "unix:uid", Attacker.NOBODY);
            Files.setAttribute(session, "unix:mode", 0640);
            SessionFile file = SessionFile.of(session, locks);
            file.append("one");
            Files.writeString(session, "torn", StandardOpenOption.APPEND);
            file.append("two");
            file.compact(lines -> List.of(lines.get(1)));
            assertThat(file.lines()).containsExactly("two");
            assertThat(Files.readAttributes(session, "unix:uid,mode")).containsEntry("uid", Attacker.NOBODY).containsEntry("mode", 0100640);
        }

        @Test
        void givesNothingAwayWhileItsNewContentIsSwapped() throws Exception {
            Path program = Attacker.compileIn(temp);
            for (int i = 0; i < 5; i++) {
                Path dir = ownedByNobody(temp.resolve("compaction-" + i), 0755);
                Path file = Files.writeString(dir.resolve("session.jsonl"), "line\n");
                Files.setAttribute(file, "unix:uid", Attacker.NOBODY);
                Map<String, String> before = stateOf(victim);
                locks.acquire(file, ONCE).close();
                try (Attacker attacker = Attacker.start(program, "fresh", dir, victim)) {
                    try {
                        SessionFile.of(file, locks).compact(lines -> java.util.Collections.nCopies(1000, "x".repeat(1000)));
                    } catch (IOException refused) {
                        assertThat(refused.getMessage()).isNotNull();
                    }
                    assertThat(attacker.isAtWork()).isTrue();
                }
                assertThat(stateOf(victim)).as("round %d", i).isEqualTo(before);
            }
        }
    }

    /** Opening a FIFO blocks until somebody writes to it. */
    @Nested
    class FifoInTheInstantOfALook {
        private Path fifo;

        @BeforeEach
        void make() throws Exception {
            fifo = home.resolve("fifo");
            assertThat(new ProcessBuilder("mkfifo", fifo.toString()).inheritIO().start().waitFor()).isZero();
        }

        @Test
        @Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
        void keepsRootsLookAtALockNotWaiting() throws Exception {
            try (FileChannel open = FileReading.openToRead(fifo)) {
                assertThat(open.isOpen()).isTrue();
            }
            assertThatIOException().isThrownBy(() -> FileReading.openToLook(fifo).close());
        }

        @Test
        @Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
        void isNoDirectory() {
            assertThatIOException().isThrownBy(() -> DescriptorPath.of(fifo));
        }

        @Test
        void noLinkIsFollowed() throws Exception {
            Path link = Files.createSymbolicLink(home.resolve("link"), victim);
            assertThatIOException().isThrownBy(() -> FileReading.openToRead(link));
            assertThatIOException().isThrownBy(() -> FileReading.openToLook(link));
        }
    }

    @Nested
    class WhatWasPrepared {
        private void refused(String why) {
            assertThatThrownBy(() -> locks.acquire(session, ONCE)).isInstanceOf(LockException.class).hasMessageContaining(why);
        }

        /** In the state in which the library creates it, and unused now. */
        private void prepareFolder() throws IOException, InterruptedException {
            Path other = Files.createDirectory(temp.resolve("other"));
            locks.acquire(other.resolve("session.jsonl"), ONCE).close();
            ownedByNobody(inner, 0755);
            for (String name : new String[] {"guard-00", "board"}) {
                Files.setAttribute(Files.copy(other.resolve(".session-locks").resolve(name), inner.resolve(name)), "unix:uid", Attacker.NOBODY);
            }
        }

        @ParameterizedTest
        @ValueSource(strings = {"guard-00", "board"})
        void hardLinkIsRefused(String name) throws Exception {
            prepareFolder();
            Path table = secret(temp.resolve("table"));
            Files.copy(inner.resolve(name), table, java.nio.file.StandardCopyOption.REPLACE_EXISTING); // it also looks like one
            byte[] content = Files.readAllBytes(table);
            Files.delete(inner.resolve(name));
            Files.createLink(inner.resolve(name), table);

            refused(inner.resolve(name) + " has 2 names (hard links), so it may be somebody's file of another name; somebody put it there: remove it");
            assertThat(table).hasBinaryContent(content);
        }

        @ParameterizedTest
        @ValueSource(strings = {"guard-00", "board", "board-1"})
        void symbolicLinkIsRefusedOrReplaced(String name) throws Exception {
            prepareFolder();
            Files.deleteIfExists(inner.resolve(name));
            Files.createSymbolicLink(inner.resolve(name), victim);

            if (name.equals("board-1")) { // the table does not count it
                locks.acquire(session, ONCE).close();
            } else {
                refused(inner.resolve(name) + " is not an ordinary file; somebody put it there: remove it");
            }
            assertThat(stateOf(victim).toString()).contains("0 100600 true");
        }

        @Test
        void fileOfAThirdUserIsRefused() throws Exception {
            prepareFolder();
            Files.setAttribute(inner.resolve("guard-00"), "unix:uid", 1);
            refused(inner.resolve("guard-00") + " belongs to user 1, who is neither the user of this process, nor root, nor the owner of the directory (user "
                    + Attacker.NOBODY + ")");
        }

        @Test
        void folderOfAThirdUserIsRefused() throws Exception {
            Files.createDirectory(inner);
            Files.setAttribute(inner, "unix:uid", 1);
            refused(inner + " belongs to user 1");
        }

        /** As an ordinary user may leave it in a directory that all share, and in which each user is protected from the others. */
        @Test
        void folderThatSomebodyMadeForAllIsRefusedInAStickyDirectory() throws Exception {
            Files.setAttribute(home, "unix:mode", 01777);
            Files.setAttribute(home, "unix:uid", 0);
            Files.createDirectory(inner);
            Files.setAttribute(inner, "unix:uid", Attacker.NOBODY);
            Files.setAttribute(inner, "unix:mode", 0777);
            refused(inner + " belongs to user " + Attacker.NOBODY);

            Files.setAttribute(inner, "unix:mode", 01777); // the mode with which the library creates it
            locks.acquire(session, ONCE).close();
        }

        @Test
        void folderThatIsALinkIsRefused() throws Exception {
            Files.createSymbolicLink(inner, Files.createDirectory(temp.resolve("elsewhere")));
            refused(inner + " is not a directory; somebody put it there: remove it");
            assertThat(temp.resolve("elsewhere")).isEmptyDirectory();
        }
    }

    @Nested
    class WhatRootMakes {
        @Test
        void isForTheOwnerOfTheDirectoryToUse() throws Exception {
            try (SessionLock lock = locks.acquire(session, ONCE)) {
                assertThat(locks.inspect(session).state()).isEqualTo(State.HELD);
                assertThat(Files.getAttribute(home.resolve("session.jsonl.lock"), "unix:uid")).isEqualTo(Attacker.NOBODY);
                lock.verifyHeld();
                try (Stream<Path> all = Stream.concat(Stream.of(inner), Files.list(inner))) {
                    assertThat(all).allSatisfy(file -> assertThat(Files.getAttribute(file, "unix:uid")).as("%s", file).isEqualTo(Attacker.NOBODY));
                }
            }
            Files.setAttribute(home, "unix:mode", 0777);
            locks.acquire(home.resolve("other"), ONCE).close();
        }

        /** The user who has created the folder has not given it away yet, and others use it already. */
        @Test
        void mayBeUsedByOthersBeforeItIsGivenAway() throws Exception {
            for (int i = 0; i < 10; i++) {
                Path dir = ownedByNobody(temp.resolve("many-" + i), 0755);
                List<Callable<Void>> all = new ArrayList<>();
                for (int thread = 0; thread < 4; thread++) {
                    Path file = dir.resolve("session-" + thread);
                    all.add(() -> {
                        locks.acquire(file, ONCE).close();
                        FileMode mode = FileMode.of(dir);
                        mode.createDirectoryIfMissing(dir.resolve(".session-locks"));
                        mode.leave();
                        return null;
                    });
                }
                ExecutorService threads = Executors.newFixedThreadPool(all.size());
                try {
                    for (Future<Void> done : threads.invokeAll(all)) {
                        done.get();
                    }
                } finally {
                    threads.shutdown();
                }
                assertThat(Files.getAttribute(dir.resolve(".session-locks"), "unix:uid")).isEqualTo(Attacker.NOBODY);
            }
        }

        @Test
        void isFoundAgainByTheDescriptorsNumber() throws Exception {
            FileMode mode = FileMode.of(home);
            assertThat(mode.isShared()).isTrue();
            assertThat(FileMode.of(temp).isShared()).as("root's own").isFalse();
            assertThatIOException().isThrownBy(() -> DescriptorPath.of(Files.createSymbolicLink(home.resolve("link"), temp)));
        }
    }

    /** Between a look at a dead lock and its removal, another program puts its own there. */
    @Nested
    class LockThatIsReplacedWhileItIsRemoved {
        @Test
        void isPutBack() throws Exception {
            Files.createDirectory(inner);
            Path record = Files.writeString(home.resolve("session.jsonl.lock"), "dead");
            Object dead = FileKey.of(record);
            Files.move(Files.writeString(home.resolve("new"), "alive"), record, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
            Object alive = FileKey.of(record);

            FileRemoval.deleteOnly(record, dead, inner);
            assertThat(record).hasContent("alive");
            assertThat(FileKey.of(record)).isEqualTo(alive);
            assertThat(inner).isEmptyDirectory();

            FileRemoval.deleteOnly(record, alive, inner);
            assertThat(record).doesNotExist();
            assertThat(inner).isEmptyDirectory();
            FileRemoval.deleteOnly(record, alive, inner);
        }

        @Test
        void isPutBackThoughItIsADirectory() throws Exception {
            Files.createDirectory(inner);
            Path record = Files.createDirectory(home.resolve("session.jsonl.lock"));
            FileRemoval.deleteOnly(record, "another", inner);
            assertThat(record).isEmptyDirectory();
            assertThat(inner).isEmptyDirectory();
        }
    }
}
