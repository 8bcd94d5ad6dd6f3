package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.Kernel;
import dev.sessionlock.spi.Clock;
import java.io.IOException;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The kernel byte of a seat: when this process has it, and when the kernel has it back. */
class KernelByteTest {
    private static final OpenDirectories OPEN = OpenDirectories.OF_THIS_PROCESS;

    @TempDir
    Path temp;
    private Path dir;
    private LockDirectory directory;
    private FileLockStore store;
    private KernelByte seat;

    @BeforeEach
    void open() throws IOException {
        dir = Files.createDirectory(temp.resolve("sessions")).toRealPath();
        directory = OPEN.pin(dir, false);
        store = (FileLockStore) directory.store("session.jsonl");
        seat = new KernelByte(store, 0);
    }

    @AfterEach
    void close() {
        OPEN.unpin(directory);
        OPEN.closeIdle(true);
    }

    /** Another copy of the library in this JVM takes it: for the JDK that is somebody else. */
    private FileLock othersTake() throws IOException {
        FileLock theirs = directory.guards().trySeat(store.hash(), 0);
        assertThat(theirs).isNotNull();
        return theirs;
    }

    private void assertKernelHas(int seats) throws IOException {
        assertThat(Kernel.seatsHeldIn(dir)).isEqualTo(seats);
    }

    @Nested
    class Taken {

        @Test
        void isOursOnceUntilItIsFreed() throws IOException {
            long before = Clock.SYSTEM.nanos();
            assertThat(seat.takenAt()).as("long ago: what the kernel says of it counts").isEqualTo(Long.MIN_VALUE);
            assertThat(seat.tryTake()).isTrue();
            assertThat(seat.tryTake()).as("ours already").isFalse();
            assertThat(seat.lock()).isNotNull();
            assertThat(seat.takenAt()).isBetween(before, Clock.SYSTEM.nanos());
            assertKernelHas(1);

            seat.free();

            assertThat(seat.lock()).isNull();
            assertThat(seat.takenAt()).isEqualTo(Long.MIN_VALUE);
            assertKernelHas(0);
            seat.free();
            assertThat(seat.tryTake()).isTrue();
            seat.free();
        }

        @Test
        void isNotOursWhileAnotherHasIt() throws IOException {
            FileLock theirs = othersTake();

            assertThat(seat.tryTake()).isFalse();
            assertThat(seat.lock()).isNull();
            seat.free();
            assertKernelHas(1);
            theirs.release();
            assertThat(seat.tryTake()).isTrue();
            seat.free();
        }

        @Test
        void isAnotherThanThatOfTheOtherSeat() throws IOException {
            KernelByte other = new KernelByte(store, 1);
            assertThat(seat.tryTake()).isTrue();
            assertThat(other.tryTake()).isTrue();
            seat.free();
            assertThat(other.lock()).isNotNull();
            assertKernelHas(1);
            other.free();
            assertKernelHas(0);
        }

        @Test
        void isKnownToBeLostOnceItsChannelIsClosed() throws IOException {
            assertThat(seat.isKnownToBeLost()).isFalse();
            seat.tryTake();
            assertThat(seat.isKnownToBeLost()).isFalse();

            seat.lock().acquiredBy().close(); // as an interrupt of a thread that waits in the kernel does it

            assertThat(seat.isKnownToBeLost()).isTrue();
            seat.free();
            assertThat(seat.isKnownToBeLost()).isFalse();
            assertThat(seat.tryTake()).isTrue();
            assertKernelHas(1);
            seat.free();
        }
    }

    /** What a kernel waiter got is nobody's until it is accepted. */
    @Nested
    class Awaited {

        @Test
        void isOursOnlyOnceItIsAccepted() throws IOException {
            seat.await();
            assertThat(seat.lock()).isNull();
            assertThat(seat.tryTake()).isFalse();
            seat.free();
            assertKernelHas(1);
            long before = Clock.SYSTEM.nanos();

            assertThat(seat.accept()).isTrue();

            assertThat(seat.lock()).isNotNull();
            assertThat(seat.takenAt()).isBetween(before, Clock.SYSTEM.nanos());
            assertThat(seat.accept()).as("once").isFalse();
            seat.decline();
            assertKernelHas(1);
            seat.free();
            assertKernelHas(0);
        }

        @Test
        void goesBackIfItIsDeclined() throws IOException {
            seat.await();

            seat.decline();

            assertKernelHas(0);
            assertThat(seat.accept()).isFalse();
            seat.decline();
            assertThat(seat.tryTake()).isTrue();
            seat.free();
        }

        @Test
        void mayBeDeclinedAlsoAfterItsChannelWasClosed() throws IOException {
            seat.await();
            directory.guards().trySeat(store.hash(), 1).acquiredBy().close();

            seat.decline();

            assertThat(seat.accept()).isFalse();
            assertThat(seat.tryTake()).isTrue();
            seat.free();
        }

        @Test
        void isRefusedWhileAnotherCopyOfTheLibraryHasItAndLeavesNothingBehind() throws IOException {
            FileLock theirs = othersTake();

            assertThatThrownBy(seat::await).isInstanceOf(IOException.class).hasMessageContaining("another copy of the library");

            assertThat(seat.accept()).isFalse();
            seat.settle();
            assertKernelHas(1);
            theirs.release();
            assertThat(seat.tryTake()).isTrue();
            seat.free();
        }
    }
}
