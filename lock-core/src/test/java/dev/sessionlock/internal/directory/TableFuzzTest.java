package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.sessionlock.LockException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReentryException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The table, which this JVM has mapped and by which it holds a lock, is overwritten. Only the exceptions of locks may come out, and no lock has two
 * holders. A build tries the headers below, and the inputs in {@code TableFuzzTestInputs}. In the soak profile Jazzer generates more, for
 * {@code -Dfuzz.minutes} (10).
 */
class TableFuzzTest {
    /** Two bytes say which word, one what kind of value, eight the value. */
    private static final int SIZE_OF_CHANGE = 11;
    private static final int MOST_CHANGES = 50;
    private static final int WORDS = 257 * 8;
    private static final String HELD = "held";

    @TempDir
    private static Path dir;
    private static HostileUse directory;
    private static byte[] sound;
    private static SessionLock held;

    @BeforeAll
    static void open() throws Exception {
        directory = new HostileUse(dir);
        directory.tryOnce("x");
        sound = Files.readAllBytes(board());
    }

    /** Once the damaged table is removed, the directory works as before. */
    @AfterAll
    static void close() throws Exception {
        HostileUse.onlyTyped(() -> {
            letGo();
            return null;
        });
        Files.delete(board());
        // Until somebody notices that the file was removed, the old words count, such as the greatest token.
        await().atMost(Duration.ofSeconds(60)).ignoreExceptionsInstanceOf(LockException.class).until(() -> directory.tryOnce("x") > 0);
        directory.close();
    }

    private static Path board() {
        return dir.resolve(".session-locks/board");
    }

    static Stream<byte[]> headers() {
        List<byte[]> all = new ArrayList<>();
        long[] files = {0x8000_0000_7fff_ffffL, Long.MIN_VALUE, -1, 0, 2, 13, 1_000_000, Long.MAX_VALUE};
        for (int word : new int[] {3, 0, 1, 2, 4, 5, 6, 7}) {
            for (long value : word == 3 ? files : new long[] {files[0]}) {
                all.add(change(word, 0, value));
            }
        }
        for (int kind = 1; kind <= 3; kind++) {
            all.add(change(8, kind, 1_000_000_000L));
        }
        return all.stream();
    }

    private static byte[] change(int word, int kind, long value) {
        return ByteBuffer.allocate(SIZE_OF_CHANGE).putShort((short) word).put((byte) kind).putLong(value).array();
    }

    @MethodSource("headers")
    @FuzzTest(maxDuration = "10m")
    void anythingInTheTableHarmsNobody(byte[] changes) throws Exception {
        if (changes == null) {
            return; // an input of Jazzer's own
        }
        holdAgain();
        overwrite(changes);
        directory.use("x");
        directory.use("y" + changes.length % 5);
        mustBeAlone();
        overwriteWith(sound);
    }

    private static void holdAgain() throws Exception {
        if (held == null || !held.isHeld()) {
            HostileUse.onlyTyped(() -> {
                letGo();
                held = directory.locks().acquire(dir.resolve(HELD), LockOptions.defaults().withTimeout(Duration.ZERO));
                return null;
            });
        }
    }

    private static void letGo() {
        if (held != null) {
            SessionLock last = held;
            held = null;
            last.close();
        }
    }

    private static void mustBeAlone() throws Exception {
        try (SessionLocks others = SessionLocks.create()) {
            HostileUse.onlyTyped(() -> {
                try (SessionLock other = others.acquire(dir.resolve(HELD), HostileUse.ONE_TRY)) {
                    assertThat(held != null && held.isHeld() && other.isHeld()).as("two holders").isFalse();
                } catch (LockReentryException keptOut) {
                    assertThat(held).isNotNull();
                }
                return null;
            });
        }
    }

    private static void overwrite(byte[] changes) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(board().toFile(), "rw")) {
            ByteBuffer in = ByteBuffer.wrap(changes);
            for (int i = 0; i < MOST_CHANGES && in.remaining() >= SIZE_OF_CHANGE; i++) {
                file.seek(Math.floorMod(in.getShort(), WORDS) * 8L);
                int kind = in.get();
                file.write(ByteBuffer.allocate(8).order(ByteOrder.nativeOrder()).putLong(value(kind, in.getLong())).array());
            }
        } catch (FileNotFoundException e) {
            assertThat(dir.resolve(".session-locks")).isDirectory(); // the table is just being created anew
        }
    }

    private static void overwriteWith(byte[] whole) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(board().toFile(), "rw")) {
            file.write(whole);
        } catch (FileNotFoundException e) {
            assertThat(dir.resolve(".session-locks")).isDirectory(); // the table is just being created anew
        }
    }

    /** {@return a value that no file can contain, since it changes, or one that no fuzzer guesses} */
    private static long value(int kind, long value) {
        return switch (kind) {
            case 1 -> System.nanoTime() + value;
            case 2 -> LockName.hash("x");
            case 3 -> LockName.hash(HELD);
            default -> value;
        };
    }
}
