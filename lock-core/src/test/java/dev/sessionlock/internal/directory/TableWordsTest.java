package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIOException;

import dev.sessionlock.internal.system.SystemFiles;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The words of one file of the shared table, mapped and not, whole and cut short during use. */
abstract class TableWordsTest {
    private static final int SIZE = 64 * 257;
    private static final int WORD = 4096 * 2 + 64 * 3 + 8;
    /** Enough for both compilers to have compiled the code. */
    private static final int WARM = 30_000;

    @TempDir
    Path dir;
    private Path file;
    final AtomicInteger setups = new AtomicInteger();

    /** Opens the words in this test's way. */
    abstract TableWords open(Path path, int size, boolean readOnly) throws IOException;

    static final class Mapped extends TableWordsTest {
        @Override
        TableWords open(Path path, int size, boolean readOnly) throws IOException {
            return MappedWords.open(path, size, readOnly);
        }

        /** Otherwise a store may wait for a disk in Java code: see the class comment of MappedWords. */
        @Test
        void systemCallBeforeAStoreGoesToTheFileThatIsMappedWhateverLiesAtItsName() throws IOException {
            TableWords words = opened();
            TableWords seen = opened();
            Path file = dir.resolve("table");
            Files.move(file, dir.resolve("moved"));
            Files.write(file, new byte[SIZE]);
            words.set(WORD, 1); // this alone leaves spare words as they are
            assertThat(seen.get((WORD & -4096) + 56)).isNotZero();
            assertThat(Files.readAllBytes(file)).containsOnly(0);
        }

        @Test
        void oneThatIsCutShortInTheMiddleOfThatCallFailsAndIsNeverTakenForWhole() throws Exception {
            int grown = 0;
            for (int round = 0; round < 40; round++) {
                Path file = Files.write(dir.resolve("table"), new byte[SIZE]);
                List<TableWords> all = new ArrayList<>();
                for (int i = 0; i < 200; i++) {
                    all.add(opened()); // each of these calls, for each page
                }
                CountDownLatch begun = new CountDownLatch(20);
                AtomicReference<Throwable> failure = new AtomicReference<>();
                Thread writer = new Thread(() -> {
                    try {
                        for (TableWords words : all) {
                            for (int word = 8; word < SIZE; word += 4096) { // the last page is a single entry
                                words.set(word, 5);
                                if (words.get(word) != 5) {
                                    throw new AssertionError("a word that nobody has written");
                                }
                            }
                            begun.countDown();
                        }
                    } catch (TableFault e) {
                        // as expected
                    } catch (Throwable e) {
                        failure.set(e);
                    }
                });
                writer.start();
                begun.await();
                try (RandomAccessFile cut = new RandomAccessFile(file.toFile(), "rw")) {
                    cut.setLength(0);
                }
                writer.join();
                assertThat(failure.get()).isNull();
                assertThat(Files.size(file)).isLessThan(SIZE);
                grown += Files.size(file) > 0 ? 1 : 0;
                for (TableWords words : all) {
                    words.close();
                }
            }
            System.out.println("tables that grew again in the middle of a call: " + grown + " of 40");
        }

        @Test
        void interruptStaysAndStopsNoStore() throws IOException {
            TableWords words = opened();
            Thread.currentThread().interrupt();
            for (int page = 0; page < 4; page++) {
                words.set(4096 * page + 64, 7);
                assertThat(words.get(4096 * page + 64)).isEqualTo(7);
            }
            assertThat(Thread.interrupted()).isTrue();
        }
    }

    static final class Positioned extends TableWordsTest {
        @Override
        TableWords open(Path path, int size, boolean readOnly) throws IOException {
            return PositionedWords.opener(new SharedTable.TableBytes() {
                @Override
                public boolean holdingBoth(long h, Runnable clear) {
                    throw new AssertionError();
                }

                @Override
                public <T> T holdingSetup(BytesStep<T> step) throws IOException {
                    setups.incrementAndGet();
                    return step.run();
                }
            }, SystemFiles.OF_THIS_PROCESS::open).open(path, size, readOnly);
        }

        @Test
        void wordsThatAnyProcessReplacesAreReplacedUnderTheSetupByte() throws IOException {
            TableWords words = opened();
            assertThat(words.replace(WORD, 0, 1)).isTrue();
            assertThat(setups).hasValue(0);
            assertThat(words.replace(64 * 5, 0, 1)).as("the first word of a line").isTrue();
            words.raise(56, 7);
            assertThat(setups).hasValue(2);
        }
    }

    @BeforeEach
    void makeFile() throws IOException {
        file = Files.write(dir.resolve("table"), new byte[SIZE]);
    }

    TableWords opened() throws IOException {
        return open(file, SIZE, false);
    }

    private void cutTo(long length) throws IOException {
        try (RandomAccessFile cut = new RandomAccessFile(file.toFile(), "rw")) {
            cut.setLength(length);
        }
    }

    @Nested
    class Whole {
        @Test
        void whatOneWritesTheOtherReads() throws IOException {
            TableWords one = opened();
            TableWords other = opened();
            TableWords mapped = MappedWords.open(file, SIZE, true); // both kinds may be used at once
            for (int offset : new int[] {0, 56, 64, 72, WORD, SIZE - 16}) {
                one.set(offset, offset + 1);
                assertThat(other.get(offset)).isEqualTo(offset + 1);
                assertThat(other.replace(offset, offset, 9)).isFalse();
                assertThat(other.replace(offset, offset + 1, -offset)).isTrue();
                other.raise(offset, 3);
                assertThat(one.get(offset)).isEqualTo(3);
                assertThat(mapped.get(offset)).isEqualTo(3);
            }
            assertThat(one.size()).isEqualTo(SIZE);
            assertThat(one.isInPlace()).isTrue();
        }

        @Test
        void threeWordsOfAnEntryAreComparedAtOnce() throws IOException {
            TableWords words = opened();
            words.set(WORD, 1);
            words.set(WORD + 8, 2);
            words.set(WORD + 16, 3);
            assertThat(words.have(WORD, 1, WORD + 8, 2, WORD + 16, 3)).isTrue();
            assertThat(words.have(WORD, 0, WORD + 8, 2, WORD + 16, 3)).isFalse();
            assertThat(words.have(WORD, 1, WORD + 8, 0, WORD + 16, 3)).isFalse();
            assertThat(words.have(WORD, 1, WORD + 8, 2, WORD + 16, 0)).isFalse();
        }

        @Test
        void onlyTheSpareWordOfAnEntryIsTouchedBesides() throws IOException {
            TableWords words = opened();
            for (int offset = 64; offset < SIZE; offset += 64) {
                words.replace(offset + 8, 0, 1);
            }
            words.replace(16, 0, 1);
            for (int offset = 0; offset < SIZE; offset += 8) {
                boolean spare = offset >= 64 && offset % 64 == 56;
                boolean written = offset == 16 || offset >= 64 && offset % 64 == 8;
                if (!spare) {
                    assertThat(words.get(offset)).as("at " + offset).isEqualTo(written ? 1 : 0);
                }
            }
        }

        @Test
        void threadsThatReplaceAWordAtOnceLoseNothing() throws Exception {
            ExecutorService threads = Executors.newFixedThreadPool(4);
            TableWords words = opened();
            try {
                List<Future<?>> all = new ArrayList<>();
                for (int t = 0; t < 4; t++) {
                    all.add(threads.submit(() -> {
                        for (int i = 0; i < 5_000; ) {
                            long last = words.get(WORD);
                            i += words.replace(WORD, last, last + 1) ? 1 : 0;
                        }
                    }));
                }
                for (Future<?> one : all) {
                    one.get();
                }
            } finally {
                threads.shutdownNow();
            }
            assertThat(words.get(WORD)).isEqualTo(20_000);
        }

        @Test
        void wordsOfAFileThatIsTooShortAreRefusedAndTheFileStaysAsItIs() throws IOException {
            cutTo(SIZE - 1);
            assertThatIOException().isThrownBy(() -> opened().get(SIZE - 8)).withMessageContaining("cut short");
            assertThat(Files.size(file)).isEqualTo(SIZE - 1);
        }
    }

    @Nested
    class CutShort {
        @Test
        void everyAccessFailsAndNoneReturnsAnythingHoweverItWasCompiled() throws Exception {
            for (int warm : new int[] {0, 300, WARM}) {
                makeFile();
                TableWords words = opened();
                for (int i = 0; i < warm; i++) {
                    assertThat(words.get(WORD) == i && words.replace(WORD, i, i + 1)).isTrue();
                    words.set(WORD + 8, i);
                    assertThat(words.have(WORD, i + 1, WORD + 8, i, WORD + 16, 0)).isTrue();
                }
                cutTo(4096);
                for (int i = 0; i < 300; i++) {
                    long next = warm + i;
                    fails(() -> words.replace(WORD, next, next + 1));
                    fails(() -> words.get(WORD));
                    fails(() -> words.have(WORD, next, WORD + 8, next - 1, WORD + 16, 0));
                    fails(() -> words.set(WORD + 8, 1));
                }
                assertThat(words.get(64)).as("what is left").isZero();
                assertThat(words.isInPlace()).isFalse();
                assertThat(Files.size(file)).as("nothing extends it").isEqualTo(4096);
                Thread.sleep(1); // an error that the JVM has postponed would be thrown now, here
            }
        }

        private void fails(Runnable access) {
            assertThatExceptionOfType(TableFault.class).isThrownBy(access::run).withMessageContaining("cut short")
                    .withMessageContaining(file.toString());
        }

        @Test
        void oneThatIsCutDuringUseFailsAtOnceAndReturnsNoFalseWord() throws Exception {
            for (int round = 0; round < 20; round++) {
                makeFile();
                TableWords words = opened();
                // Compiled now: in the interpreter, a cut in the nanoseconds before a compare-and-set ends the JVM.
                for (int i = 0; i < WARM; i++) {
                    words.replace(WORD + 64, i, i + 1);
                }
                Thread cutter = new Thread(() -> {
                    try {
                        Thread.sleep(1);
                        cutTo(0);
                    } catch (IOException | InterruptedException e) {
                        throw new AssertionError(e);
                    }
                });
                cutter.start();
                long written = 0;
                try {
                    while (true) {
                        assertThat(words.get(WORD)).isEqualTo(written);
                        assertThat(words.replace(WORD, written, written + 1)).isTrue();
                        written++;
                    }
                } catch (TableFault expected) {
                    assertThat(expected).hasMessageContaining("cut short");
                } finally {
                    cutter.join();
                }
            }
        }

        @Test
        void oneThatWasReplacedIsNotInPlace() throws IOException {
            TableWords words = opened();
            Files.move(Files.write(dir.resolve("other"), new byte[SIZE]), file, StandardCopyOption.REPLACE_EXISTING);
            assertThat(words.isInPlace()).isFalse();
            assertThat(words.get(WORD)).isZero();
        }
    }
}
