package dev.sessionlock.testkit;

import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What {@link CrashLab#freezeAtEveryStep} does; what writers do in it is in {@code FrozenWritersTest}. */
class FreezeTest {
    private static final Duration FREEZE = Duration.ofMillis(3_500);
    /** For a test in which the other process must come in meanwhile, however busy the machine. */
    private static final Duration LONG_FREEZE = Duration.ofSeconds(15);
    private static final LockOptions SHORT = LockOptions.defaults().withLease(Duration.ofSeconds(3));

    private static Path session(Path directory) {
        return directory.resolve("session");
    }

    private static List<String> lines(Path directory) throws IOException {
        return Files.exists(session(directory)) ? Files.readAllLines(session(directory)) : List.of();
    }

    private static void append(Path directory, LockOptions options, String line) throws Exception {
        try (SessionLocks locks = SessionLocks.create(); SessionLock lock = locks.acquire(session(directory), options)) {
            lock.ensureHeld();
            Files.writeString(session(directory), line + "\n", CREATE, APPEND);
            lock.ensureHeld();
            CrashLab.acknowledge(line);
        }
    }

    static final class Append implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            append(directory, SHORT, CrashLab.process());
        }
    }

    /** Reads the file, and writes all of it anew. */
    static final class Rewrite implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            try (SessionLocks locks = SessionLocks.create(); SessionLock lock = locks.acquire(session(directory), SHORT)) {
                String all = lines(directory) + "rewritten\n";
                lock.ensureHeld();
                Files.writeString(session(directory), all);
            }
        }
    }

    static final class AppendNobodyPasses implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            append(directory, LockOptions.defaults().withTakeover(false), CrashLab.process());
        }
    }

    static final class AppendWithTheDefaultLease implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            append(directory, LockOptions.defaults(), CrashLab.process());
        }
    }

    static final class AppendWithoutAName implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            append(directory, LockOptions.defaults().withTakeover(false), "a line");
        }
    }

    static final class Fails implements CrashScenario {
        @Override
        public void run(Path directory) {
            if (CrashLab.process().equals("other") && Files.exists(session(directory))) {
                throw new IllegalStateException("the session is not new");
            }
        }
    }

    private static CrashLab of(CrashLab lab, Class<? extends CrashScenario> scenario) {
        return lab.scenario(scenario).check((directory, run) -> assertThat(lines(directory)).containsAll(run.acknowledged()));
    }

    private static String failureOf(CrashLab lab, Duration freeze) throws IOException {
        AssertionError failure = catchThrowableOfType(AssertionError.class, () -> lab.freezeAtEveryStep(freeze));
        assertThat(failure).as("the lab found nothing").isNotNull();
        CrashJvms.delete(lab.home());
        return failure.getMessage();
    }

    @CrashTest
    void anotherScenarioWorksMeanwhileAndItsLossIsFound(CrashLab lab) throws Exception {
        String failure = failureOf(of(lab, Rewrite.class).meanwhile(Append.class).only("freeze:1:before"), LONG_FREEZE);
        assertThat(failure).contains("frozen before step 1 of 2: create session\n     at dev.sessionlock.testkit.FreezeTest$Rewrite.run(FreezeTest.java:",
                "meanwhile the other process worked: it ran to its end, and acknowledged: other\n   woken after ",
                " ms, it returned as if all were well; all in all it acknowledged nothing\n   what is wrong: ", "-Dsessionlock.crash=freeze:1:before");
    }

    @CrashTest
    void withoutTakeoverTheOtherWaitsUntilItIsWoken(CrashLab lab) throws Exception {
        assertThat(of(lab, AppendNobodyPasses.class).only("freeze:2:before").freezeAtEveryStep(FREEZE).runs()).isEqualTo(3);
    }

    @CrashTest
    @Tag("soak")
    void aLeaseThatOutlastsTheFreezeIsAnError(CrashLab lab) {
        assertThatThrownBy(() -> of(lab, AppendWithTheDefaultLease.class).only("freeze:1:before").freezeAtEveryStep(FREEZE))
                .isInstanceOf(AssertionError.class).hasMessageContainingAll("it was frozen for 3500 ms, and the lease of its lock on session goes on",
                        "withLease(LockOptions.MIN_LEASE)");
        assertThatThrownBy(() -> lab.freezeAtEveryStep(LockOptions.MIN_LEASE)).isInstanceOf(IllegalArgumentException.class);
    }

    @CrashTest
    @Tag("soak")
    void twoThatAcknowledgeTheSameAreAnError(CrashLab lab) {
        assertThatThrownBy(() -> of(lab, AppendWithoutAName.class).only("freeze:1:before").freezeAtEveryStep(FREEZE))
                .isInstanceOf(AssertionError.class).hasMessageContainingAll("both processes acknowledged \"a line\"", "CrashLab.process()");
    }

    @CrashTest
    void anotherThatFailsIsFound(CrashLab lab) throws Exception {
        assertThat(failureOf(of(lab, AppendNobodyPasses.class).meanwhile(Fails.class).only("freeze:2:after"), FREEZE))
                .contains("the other process failed, though nothing befell it: java.lang.IllegalStateException: the session is not new");
    }

    @Tag("soak") // the processes of all labs are started two at a time: beside the other tests it may wait for minutes
    @Test
    void noProcessIsLeftBehindWhereItIsBrokenOff() throws Exception {
        String mark = "-Dmark=" + UUID.randomUUID();
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        Thread breaksOff = new Thread(() -> {
            try (CrashLab lab = CrashLab.create()) {
                of(lab, Append.class).jvmArgs(mark).freezeAtEveryStep(Duration.ofMinutes(1));
            } catch (Throwable e) {
                thrown.set(e);
            }
        });
        breaksOff.start();
        await("one is frozen").atMost(Duration.ofMinutes(5)).until(() -> {
            assertThat(thrown.get()).isNull();
            return marked(mark).stream().anyMatch(FreezeTest::isFrozen);
        });
        List<ProcessHandle> all = marked(mark);
        breaksOff.interrupt();
        breaksOff.join();
        assertThat(thrown.get()).isInstanceOf(InterruptedException.class);
        assertThat(marked(mark)).isEmpty();
        assertThat(all).isNotEmpty().noneMatch(ProcessHandle::isAlive);
    }

    private static List<ProcessHandle> marked(String mark) {
        return ProcessHandle.current().descendants()
                .filter(process -> process.info().arguments().map(arguments -> List.of(arguments).contains(mark)).orElse(false)).toList();
    }

    private static boolean isFrozen(ProcessHandle process) {
        try {
            String stat = Files.readString(Path.of("/proc", Long.toString(process.pid()), "stat"));
            return stat.charAt(stat.lastIndexOf(')') + 2) == 'T';
        } catch (IOException e) {
            return false;
        }
    }
}
