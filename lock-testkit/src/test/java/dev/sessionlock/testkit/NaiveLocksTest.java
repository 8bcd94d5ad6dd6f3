package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Tests the witness itself: locks that look right and are not, on real files and between real processes (traps 1 and 5 to 7 of PROTOCOL.md, and the
 * lock that everybody writes first). The witness must find two holders at once with each. (Locks that break a rule of our own protocol are in
 * lock-core, BrokenProtocol.)
 */
class NaiveLocksTest {
    @TempDir
    Path dir;

    /** One way to lock. */
    enum Naive {
        /** On Unix the file is unlinked when it is opened, so each process locks a file of its own. */
        DELETE_ON_CLOSE {
            @Override
            void visit(Path file, WitnessedHolder me) throws IOException {
                try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE,
                        StandardOpenOption.DELETE_ON_CLOSE); FileLock lock = channel.lock()) {
                    stay(lock, me);
                }
            }
        },
        /** A thread that fails closes its channel, which drops the lock of the thread that succeeded. */
        OPENED_BY_EACH_THREAD {
            @Override
            void visit(Path file, WitnessedHolder me) throws IOException {
                try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                        FileLock lock = channel.tryLock()) {
                    if (lock != null) {
                        stay(lock, me);
                    }
                } catch (OverlappingFileLockException e) {
                    Thread.onSpinWait(); // another thread of this JVM has it; try again
                }
            }
        },
        /** A waiter gets the lock of a file that is already gone, and the next process creates another file. */
        UNLINKED_ON_RELEASE {
            @Override
            void visit(Path file, WitnessedHolder me) throws IOException {
                try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                        FileLock lock = channel.tryLock()) {
                    if (lock != null) {
                        stay(lock, me);
                        Files.deleteIfExists(file);
                    }
                } catch (OverlappingFileLockException e) {
                    Thread.onSpinWait();
                }
            }
        },
        /** Like the one before, but the file is removed when others may already have locked it. */
        UNLINKED_AFTER_UNLOCK {
            @Override
            void visit(Path file, WitnessedHolder me) throws IOException {
                boolean had = false;
                try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                        FileLock lock = channel.tryLock()) {
                    had = lock != null;
                    if (had) {
                        stay(lock, me);
                    }
                } catch (OverlappingFileLockException e) {
                    Thread.onSpinWait();
                }
                if (had) {
                    Files.deleteIfExists(file);
                }
            }
        },
        /** One channel for the whole process, never closed, one thread at a time; and then some code looks who holds the lock. */
        REREAD_THROUGH_FILES {
            private FileChannel channel;

            @Override
            synchronized void visit(Path file, WitnessedHolder me) throws IOException {
                if (channel == null) {
                    channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                }
                try (FileLock lock = channel.tryLock()) {
                    if (lock != null) {
                        Files.readString(file); // opens and closes it, and the kernel drops every lock that the process has on it
                        stay(lock, me);
                    }
                }
            }
        },
        /**
         * A process that finds the lock of a dead process removes it: perhaps the new lock of another process that has already removed the dead one.
         */
        STOLEN_FROM_THE_DEAD {
            @Override
            void visit(Path file, WitnessedHolder me) throws IOException {
                Path mine = Files.createTempFile(file.getParent(), "lock", ".new");
                try {
                    Files.writeString(mine, String.valueOf(ProcessHandle.current().pid()));
                    Files.createLink(file, mine);
                    proveHeld(me, () -> { });
                    Files.writeString(mine, String.valueOf(DEAD)); // as if this process were killed now
                } catch (FileAlreadyExistsException e) {
                    if (!namesALiving(file)) {
                        Files.deleteIfExists(file);
                    }
                } finally {
                    Files.delete(mine);
                }
            }

            private boolean namesALiving(Path file) throws IOException {
                try {
                    return ProcessHandle.of(Long.parseLong(Files.readString(file))).isPresent();
                } catch (NoSuchFileException | NumberFormatException e) {
                    return true; // gone, or just being written: the next look will tell
                }
            }
        };

        /** No process has this id. */
        private static final long DEAD = 999_999_999;

        abstract void visit(Path file, WitnessedHolder me) throws IOException;

        /** Asks FileLock itself whether it holds. */
        static void stay(FileLock lock, WitnessedHolder me) throws IOException {
            proveHeld(me, () -> {
                if (!lock.isValid()) {
                    throw new IOException("not held");
                }
            });
        }

        static void proveHeld(WitnessedHolder me, WitnessedHolder.Check<IOException> check) throws IOException {
            me.entered("naive", System.nanoTime(), check).leaving();
        }
    }

    /** Two threads take one of these locks again and again, until told to stop. */
    static final class Hammering implements ChildScenario {
        private volatile boolean stopped;

        @Override
        public void run(ParentJvm parent) throws Exception {
            Naive naive = Naive.valueOf(parent.args().get(0));
            Path file = Path.of(parent.args().get(2));
            WitnessedHolder me = WitnessedHolder.connect(parent.args().get(1), "pid " + ProcessHandle.current().pid());
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < (naive == Naive.DELETE_ON_CLOSE ? 1 : 2); i++) {
                threads.add(new Thread(() -> hammer(naive, file, me)));
            }
            parent.mark("ready");
            parent.awaitLine("go");
            threads.forEach(Thread::start);
            parent.awaitLine("stop");
            stopped = true;
            for (Thread thread : threads) {
                thread.join();
            }
            me.close();
        }

        private void hammer(Naive naive, Path file, WitnessedHolder me) {
            while (!stopped) {
                try {
                    naive.visit(file, me);
                } catch (IOException e) {
                    Thread.onSpinWait(); // they fail in other ways as well
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void witnessFindsThatTheyLetTwoIn(Naive naive) throws Exception {
        try (MutualExclusionWitness witness = MutualExclusionWitness.open(); ChildJvm one = hammer(naive, witness);
                ChildJvm two = hammer(naive, witness)) {
            one.send("go");
            two.send("go");
            long end = System.nanoTime() + Puppet.PATIENCE.toNanos();
            while (!twoWereIn(witness) && System.nanoTime() < end) {
                Thread.sleep(20);
            }
            one.send("stop");
            two.send("stop");
            assertThat(one.awaitExit(Puppet.PATIENCE)).isZero();
            assertThat(two.awaitExit(Puppet.PATIENCE)).isZero();
            assertThat(twoWereIn(witness)).as("%s", witness.violations()).isTrue();
            System.out.println(naive + ": two were in at once, found within " + witness.visits() + " visits");
        }
    }

    /** If two are in at once, tokens come in any order, too. */
    private static boolean twoWereIn(MutualExclusionWitness witness) {
        return witness.violations().stream().anyMatch(v -> v.startsWith("two valid holders at once"));
    }

    private ChildJvm hammer(Naive naive, MutualExclusionWitness witness) throws IOException, InterruptedException {
        ChildJvm jvm = SmallJvm.of(Hammering.class).name(naive.toString())
                .args(naive.name(), witness.address(), dir.resolve("naive.lock").toString()).start();
        jvm.awaitMark("ready", Puppet.PATIENCE);
        return jvm;
    }
}
