package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Somebody removes the files behind the locks, again and again, while JVMs with several threads on different terms take one lock all the time. Those
 * who knew the old table and those who created the new one meet only at the record. There are never two holders, and each token is greater than all
 * before it.
 */
@Isolated
@Tag("soak")
class ReplacedTableStormTest {
    private static final int JVMS = 3;
    private static final int THREADS = 3;

    @TempDir
    Path dir;

    /** What is removed. */
    private enum Removal {
        THE_FOLDER, GUARDS_AND_TABLE
    }

    static final class Writers implements ChildScenario {
        @Override
        public void run(ParentJvm parent) throws Exception {
            WitnessedHolder me = WitnessedHolder.connect(parent.args().get(1), parent.args().get(0));
            Path file = Path.of(parent.args().get(2));
            SessionLocks locks = SessionLocks.create();
            for (int i = 0; i < THREADS; i++) {
                LockOptions options = LockOptions.defaults().withLease(Duration.ofSeconds(2 + i)).withTimeout(Duration.ofSeconds(20));
                Thread thread = new Thread(() -> write(locks, me, file, options), "writer-" + i);
                thread.setDaemon(true);
                thread.start();
            }
            parent.awaitLine();
        }

        private static void write(SessionLocks locks, WitnessedHolder me, Path file, LockOptions options) {
            while (true) {
                try (SessionLock lock = locks.acquire(file, options)) {
                    WitnessedHolder.Visit<LockLostException> visit = me.entered("session", lock.token(), lock::ensureHeld);
                    visit.leaving();
                } catch (IOException e) {
                    LockSupport.parkNanos(1_000_000); // its table was removed: it tries again
                } catch (InterruptedException e) {
                    return;
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void tokensGrow(Removal removal) throws Exception {
        Random random = new Random(Long.getLong("storm.seed", System.nanoTime()));
        List<ChildJvm> jvms = new ArrayList<>();
        try (MutualExclusionWitness witness = MutualExclusionWitness.open()) {
            for (int i = 0; i < JVMS; i++) {
                jvms.add(SmallJvm.of(Writers.class).name("w" + i).args("w" + i, witness.address(), dir.resolve("session.jsonl").toString()).start());
            }
            int removals = 0;
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(Long.getLong("storm.seconds", 60));
            while (System.nanoTime() < end) {
                Thread.sleep(20 + random.nextInt(400));
                remove(removal);
                removals++;
            }
            jvms.forEach(ChildJvm::close);
            witness.awaitAllLeft(Puppet.PATIENCE);
            System.out.println(removals + " removals of " + removal + ", " + witness.visits() + " visits");
            witness.verify();
            assertThat(witness.visits()).isGreaterThan(1_000);
        } finally {
            jvms.forEach(ChildJvm::close);
        }
    }

    private void remove(Removal removal) {
        Path inner = dir.resolve(".session-locks");
        try (DirectoryStream<Path> all = Files.newDirectoryStream(inner, removal == Removal.THE_FOLDER ? "*" : "{guard-*,board*}")) {
            for (Path each : all) {
                Files.deleteIfExists(each);
            }
            if (removal == Removal.THE_FOLDER) {
                Files.deleteIfExists(inner);
            }
        } catch (IOException | DirectoryIteratorException e) {
            System.out.println("not all of it was removed: " + e);
        }
    }
}
