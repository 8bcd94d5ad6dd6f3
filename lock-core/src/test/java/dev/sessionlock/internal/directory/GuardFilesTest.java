package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.internal.system.KernelLocks;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** The files that carry the kernel bytes. The tests ask the kernel what is held. */
class GuardFilesTest extends GuardsFixture {
    /** {@return the positions that this process holds in a guard file, from /proc/locks, which joins adjacent ones} */
    private Set<Long> held(int guard) {
        long inode = GuardLayout.inode(dir, guard);
        Set<Long> positions = new HashSet<>();
        for (int reading = 0; reading < 6; reading++) { // it is shown a page at a time, so that one reading may miss a lock
            new KernelLocks().read(i -> i == inode).orElseThrow().stream().filter(entry -> entry.pid() == ProcessHandle.current().pid())
                    .forEach(entry -> {
                        for (long position = entry.start(); position <= entry.end(); position++) {
                            positions.add(position);
                        }
                    });
        }
        return positions;
    }

    /** The guard files of that other directory may be open in this process already. Closing a second descriptor would drop the bytes there. */
    @Test
    void noGuardIsOpenedInAnotherDirectoryOfTheSameName() throws IOException {
        Path home = Files.createDirectory(dir.resolve("home"));
        GuardFiles old = new GuardFiles(home, FileMode.of(home));
        old.enter(home);
        Files.move(home, dir.resolve("aside"));
        Files.createDirectory(home);
        assertThatThrownBy(() -> old.trySeat(1, 0)).isInstanceOf(NoSuchFileException.class).hasMessageContaining("was replaced");
        assertThat(home).isEmptyDirectory();
        old.leave();
    }

    @Test
    void eachSeatOfEachLockIsAByteOfItsOwnFarBeyondAnyContent() {
        Set<List<Long>> bytes = new HashSet<>();
        for (int i = 0; i < 10_000; i++) {
            long h = LockName.hash("n" + i);
            for (int seat = 0; seat < 2; seat++) {
                long position = GuardLayout.positionOf(h, seat);
                assertThat(position).isBetween(1L << 61, Long.MAX_VALUE - 1);
                assertThat(GuardLayout.guardOf(h)).isBetween(0, 63);
                assertThat(bytes.add(List.of((long) GuardLayout.guardOf(h), position))).isTrue();
            }
        }
        for (long h : new long[] {1, -1, Long.MIN_VALUE, Long.MAX_VALUE}) {
            assertThat(GuardLayout.positionOf(h, 1)).isPositive().isLessThan(Long.MAX_VALUE);
            assertThat(GuardLayout.guardOf(h)).isBetween(0, 63);
        }
        assertThat(GuardLayout.positionOf((1L << 52) - 1)).as("the highest process").isLessThan((1L << 61) - 1);
    }

    @Test
    void theFilesAreNamedAsTheManualSays() {
        assertThat(GuardLayout.file(dir, 0)).isEqualTo(dir.resolve("guard-00"));
        assertThat(GuardLayout.file(dir, 15)).isEqualTo(dir.resolve("guard-0f"));
        assertThat(GuardLayout.file(dir, 16)).isEqualTo(dir.resolve("guard-10"));
        assertThat(GuardLayout.file(dir, 63)).isEqualTo(dir.resolve("guard-3f"));
        assertThat(dir).as("none is made before it is needed").isEmptyDirectory();
    }

    @Test
    void aByteIsHadOnceAndTheKernelKnowsIt() throws IOException {
        long h = 64 * 5 + 3;
        FileLock lock = guards.trySeat(h, 0);
        assertThat(lock).isNotNull();
        assertThat(guards.trySeat(h, 0)).isNull();
        assertThat(held(3)).containsExactly(GuardLayout.positionOf(h, 0));

        FileLock other = guards.trySeat(h, 1);
        FileLock neighbour = guards.trySeat(h + 64, 0);
        assertThat(held(3)).containsExactlyInAnyOrder(GuardLayout.positionOf(h, 0), GuardLayout.positionOf(h, 1), GuardLayout.positionOf(h + 64, 0));
        assertThat(guards.isCurrent(h, lock)).isTrue();
        lock.release();
        assertThat(held(3)).hasSize(2);
        other.release();
        neighbour.release();
        assertThat(held(3)).isEmpty();
        assertThat(GuardLayout.inode(dir, 4)).isEqualTo(-1);
    }

    @Test
    void losingATryDropsNothing() throws IOException {
        FileLock lock = guards.trySeat(7, 0);
        for (int i = 0; i < 100; i++) {
            assertThat(guards.trySeat(7, 0)).isNull();
        }
        assertThat(held(7)).containsExactly(GuardLayout.positionOf(7, 0));
        lock.release();
    }

    @Test
    void readingAForeignFileOfTheDirectoryDropsNothingAndAGuardIsDropped() throws IOException {
        FileLock lock = guards.trySeat(7, 0);
        Files.readString(Files.writeString(dir.resolve("x.lock"), "record"));
        assertThat(held(7)).hasSize(1);
        Files.readAllBytes(GuardLayout.file(dir, 7)); // POSIX: this is why no code may do it, and why the keeper looks
        assertThat(lock.isValid()).as("Java does not know").isTrue();
        assertThat(held(7)).isEmpty();
        lock.release();
    }

    @Test
    void aThreadThatWaitsForAByteGetsItAndMakesItBusyMeanwhile() throws Exception {
        FileLock lock = guards.trySeat(9, 0);
        lock.release();
        FileLock got = CompletableFuture.supplyAsync(() -> {
            try {
                return guards.awaitSeat(9, 0);
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }).get(60, TimeUnit.SECONDS);
        assertThat(held(9)).hasSize(1);
        assertThat(guards.trySeat(9, 0)).isNull();
        got.release();
    }

    @Test
    void anInterruptedThreadTakesAndFreesBytesAndClosesNothing() throws IOException {
        FileLock other = guards.trySeat(64 + 5, 0);
        Thread.currentThread().interrupt();
        try {
            FileLock lock = guards.trySeat(5, 0);
            assertThat(held(5)).hasSize(2);
            lock.release();
            assertThat(held(5)).containsExactly(GuardLayout.positionOf(64 + 5, 0));
        } finally {
            assertThat(Thread.interrupted()).isTrue();
        }
        other.release();
    }

    @Test
    void aCollectedReferenceDropsNoByte() throws Exception {
        assertThat(guards.trySeat(11, 0)).isNotNull(); // not kept
        for (int i = 0; i < 5; i++) {
            System.gc();
            Thread.sleep(20);
        }
        assertThat(held(11)).hasSize(1);
    }

    @Test
    void aGuardThatWasRemovedIsPutAsideAndMadeAnew() throws IOException {
        FileLock old = guards.trySeat(7, 0);
        FileLock elsewhere = guards.trySeat(8, 0);
        assertThat(guards.putDisplacedAside()).isFalse();
        Files.delete(GuardLayout.file(dir, 7));
        assertThat(guards.putDisplacedAside()).isTrue();
        assertThat(guards.isCurrent(7, old)).isFalse();
        assertThat(guards.isCurrent(8, elsewhere)).isTrue();
        assertThat(guards.putDisplacedAside()).isFalse();

        FileLock fresh = guards.trySeat(7, 0);
        assertThat(fresh).isNotNull();
        assertThat(guards.isCurrent(7, fresh)).isTrue();
        assertThat(held(7)).hasSize(1);
        assertThat(held(8)).hasSize(1);
        old.release();
        fresh.release();
        elsewhere.release();
    }

    @Test
    void whatLiesInThePlaceOfAGuardIsNotFollowed() throws IOException {
        Path elsewhere = Files.writeString(dir.resolve("elsewhere"), "x");
        Files.createSymbolicLink(GuardLayout.file(dir, 1), elsewhere);
        Files.createDirectory(GuardLayout.file(dir, 2));
        assertThatIOException().isThrownBy(() -> guards.trySeat(1, 0)).withMessageContaining("guard-01 is not an ordinary file");
        assertThatIOException().isThrownBy(() -> guards.trySeat(2, 0)).withMessageContaining("guard-02");
    }

    @Test
    void theyCloseWithTheLastUserAndOpenNoMore() throws IOException {
        FileLock lock = guards.trySeat(7, 0);
        guards.enter(dir);
        assertThat(guards.leave()).isFalse();
        assertThat(held(7)).hasSize(1);
        assertThat(lock.isValid()).isTrue();
        assertThat(guards.leave()).isTrue();
        assertThat(held(7)).isEmpty();
        assertThatThrownBy(() -> guards.trySeat(7, 0)).isInstanceOf(ClosedChannelException.class);
    }

    // ---- a channel that is closed by an interrupt ----

    private static void interruptOneThatUsesIt(FileLock lock) throws Exception {
        Thread thread = new Thread(() -> {
            Thread.currentThread().interrupt();
            try {
                ((java.nio.channels.FileChannel) lock.acquiredBy()).position();
            } catch (IOException e) {
                assertThat(e).isInstanceOf(ClosedChannelException.class);
            }
        });
        thread.start();
        thread.join();
        assertThat(lock.acquiredBy().isOpen()).as("else this test shows nothing").isFalse();
    }

    @Test
    void aClosedChannelIsOpenedAgainAndSuspicionIsRaised() throws Exception {
        AtomicInteger suspicions = new AtomicInteger();
        GuardFiles watched = new GuardFiles(dir, FileMode.of(dir), suspicions::incrementAndGet);
        watched.enter(dir);
        FileLock lost = watched.trySeat(7, 0);
        FileLock elsewhere = watched.trySeat(8, 0);
        interruptOneThatUsesIt(lost);
        assertThat(held(7)).isEmpty();
        assertThat(watched.isOfThisFile(7, lost)).as("nobody replaced the file").isTrue();

        FileLock neighbour = watched.trySeat(64 + 7, 0);
        assertThat(neighbour).isNotNull();
        assertThat(suspicions).hasValue(1);
        assertThat(watched.isCurrent(7, lost)).isFalse();
        assertThat(watched.isOfThisFile(7, lost)).isTrue();
        FileLock again = watched.trySeat(7, 0);
        assertThat(again).isNotNull();
        assertThat(held(7)).containsExactlyInAnyOrder(GuardLayout.positionOf(7, 0), GuardLayout.positionOf(64 + 7, 0));
        assertThat(held(8)).hasSize(1);
        assertThat(watched.isCurrent(8, elsewhere)).isTrue();
        watched.reopenClosed();
        assertThat(suspicions).as("nothing more was closed").hasValue(1);
        watched.leave();
    }

    @Test
    void aClosedGuardThatNobodyUsesIsNoticedByTheKeepersLook() throws Exception {
        AtomicInteger suspicions = new AtomicInteger();
        GuardFiles watched = new GuardFiles(dir, FileMode.of(dir), suspicions::incrementAndGet);
        watched.enter(dir);
        FileLock lost = watched.trySeat(7, 0);
        interruptOneThatUsesIt(lost);

        watched.reopenClosed();

        assertThat(suspicions).hasValue(1);
        assertThat(watched.trySeat(7, 0)).isNotNull();
        watched.leave();
    }

    @Test
    void aGuardThatWasReplacedWhileItsChannelWasClosedIsAnotherFile() throws Exception {
        FileLock lost = guards.trySeat(7, 0);
        Path pinned = Files.createLink(dir.resolve("pinned"), GuardLayout.file(dir, 7)); // so that its inode number is not used again
        interruptOneThatUsesIt(lost);
        Files.delete(GuardLayout.file(dir, 7));

        FileLock fresh = guards.trySeat(7, 0);

        assertThat(fresh).isNotNull();
        assertThat(guards.isOfThisFile(7, fresh)).isTrue();
        assertThat(guards.isOfThisFile(7, lost)).isFalse();
        Files.delete(pinned);
        fresh.release();
    }

    // ---- what errors leave ----

    @Test
    void aByteThatWasLentIsGivenBackThoughClosingWasBrokenOff() throws IOException {
        GuardFiles.Loan loan = guards.lendTo();
        assertThat(loan.trySeat(7, 0)).isTrue();
        guards.settle();
        assertThat(held(7)).as("it is in use").hasSize(1);
        loan.close();
        loan.close();
        assertThat(held(7)).isEmpty();
    }

    @Test
    void aByteThatTheJdkCountsAsTakenAndNobodyHasIsFreedByOpeningTheGuardAnew() throws Exception {
        AtomicInteger suspicions = new AtomicInteger();
        GuardFiles watched = new GuardFiles(dir, FileMode.of(dir), suspicions::incrementAndGet);
        watched.enter(dir);
        FileLock remembered = watched.trySeat(7, 0);
        Awaitility.await().atMost(60, TimeUnit.SECONDS).ignoreException(IOException.class).until(() -> watched.trySeatAgain(7, 0) != null);
        assertThat(suspicions).hasValue(1);
        assertThat(remembered.acquiredBy().isOpen()).isFalse();
        watched.leave();
    }
}
