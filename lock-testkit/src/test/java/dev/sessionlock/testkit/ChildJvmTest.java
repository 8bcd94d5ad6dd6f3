package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ChildJvmTest {
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final Duration A_MOMENT = Duration.ofMillis(100);

    /** Repeats what it is told. */
    static final class Echo implements ChildScenario {
        @Override
        public void run(ParentJvm parent) throws Exception {
            System.out.println("a line that is no mark");
            System.err.print("half a line");
            parent.mark("args", parent.args().toArray());
            parent.mark("property", System.getProperty("colour"), System.getenv("SHAPE"), System.getProperty("user.dir"));
            for (String line = parent.awaitLine(); !line.equals("end"); line = parent.awaitLine()) {
                parent.mark("echo", line);
            }
        }
    }

    @Test
    void talksBothWays() throws Exception {
        try (ChildJvm child = ChildJvm.of(Echo.class).args("one", "two").jvmArgs("-Dcolour=red").jvmArgs(SmallJvm.FLAGS)
                .environment("SHAPE", "round").directory(java.nio.file.Path.of("/tmp")).start()) {
            child.send("first");
            child.send("zweite Zeile, ä€");
            assertThat(child.awaitMark("echo", SOON).detail(0)).isEqualTo("first");
            assertThat(child.awaitMark("echo", SOON).text()).isEqualTo("zweite Zeile, ä€");
            assertThat(child.awaitMark("args", SOON).details()).containsExactly("one", "two"); // though it came first
            assertThat(child.awaitMark("property", SOON).details()).containsExactly("red", "round", "/tmp");
            assertThat(child.pollMark("echo")).isEmpty();
            assertThat(child.output()).contains("a line that is no mark").contains("half a line").doesNotContain("echo");
            assertThat(ProcessHandle.of(child.pid())).isPresent();
            child.send("end");
            assertThat(child.awaitExit(SOON)).isZero();
            assertThat(child.isAlive()).isFalse();
        }
    }

    /** An ordinary program with a main method. */
    static final class Program {
        public static void main(String[] args) {
            ParentJvm.get().mark("main", args.length);
            System.exit(7);
        }
    }

    @Test
    void runsAMainMethod() throws Exception {
        try (ChildJvm child = ChildJvm.of(Program.class).args("x").jvmArgs(SmallJvm.FLAGS).start()) {
            assertThat(child.awaitMark("main", SOON).number(0)).isEqualTo(1);
            assertThat(child.awaitExit(SOON)).isEqualTo(7);
        }
    }

    @Test
    void runsALambdaWithWhatItHasCaptured() throws Exception {
        String word = "captured";
        int number = 42;
        try (ChildJvm child = ChildJvm.running(parent -> {
            parent.mark("values", word, number, parent.args().get(0), ProcessHandle.current().pid());
            throw new IllegalStateException("and failed");
        }).args("argument").jvmArgs(SmallJvm.FLAGS).start()) {
            assertThat(child.awaitMark("values", SOON).details()).containsExactly("captured", "42", "argument", Long.toString(child.pid()));
            assertThat(child.awaitExit(SOON)).isOne();
            assertThat(child.output()).contains("and failed");
        }
    }

    private final Object notForTravel = new Object();

    @Test
    void lambdaThatCannotTravelIsRefusedAtOnce() {
        assertThatThrownBy(() -> ChildJvm.running(parent -> parent.mark("own", notForTravel))).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(ChildJvmTest.class.getName()).hasMessageContaining("the test itself");
    }

    @Test
    void exitsInGoodOrderWithTheStatusThatIsAskedFor() throws Exception {
        try (ChildJvm child = ChildJvm.of(Ticking.class).jvmArgs(SmallJvm.FLAGS).start()) {
            child.awaitMark("tick", SOON);
            child.exit(5);
            assertThat(child.awaitExit(SOON)).isEqualTo(5);
            child.awaitMark("hook", SOON);
            assertThatThrownBy(() -> {
                child.exit(6); // the pipe may take a line before it breaks
                child.exit(6);
            }).isInstanceOf(AssertionError.class);
        }
    }

    /** Loses something, and reports when that is found. */
    static final class Leaking implements ChildScenario {
        @Override
        public void run(ParentJvm parent) throws Exception {
            java.lang.ref.Cleaner.create().register(new Object(), () -> parent.mark("found"));
            parent.mark("leaked");
            parent.awaitLine();
        }
    }

    @Test
    void findsWhatItHasLeaked() throws Exception {
        try (ChildJvm child = ChildJvm.of(Leaking.class).jvmArgs(SmallJvm.FLAGS).start()) {
            child.awaitMark("leaked", SOON);
            child.collectGarbage();
            child.awaitMark("found", SOON);
        }
    }

    /** Starts a process of its own. */
    static final class Starting implements ChildScenario {
        @Override
        public void run(ParentJvm parent) throws Exception {
            parent.mark("started-one", new ProcessBuilder("sleep", "600").start().pid(), ProcessHandle.current().pid());
            parent.awaitLine();
        }
    }

    @Test
    void whatTheChildHasStartedLivesOnAfterAKillAndEndsWithTheClosing() throws Exception {
        ChildJvm child = ChildJvm.of(Starting.class).jvmArgs(SmallJvm.FLAGS).start();
        ChildJvm.Mark started = child.awaitMark("started-one", SOON);
        ProcessHandle grandchild = ProcessHandle.of(started.number(0)).orElseThrow();
        assertThat(child.pid()).as("however soon it has started another").isEqualTo(started.number(1));
        child.kill();
        assertThat(grandchild.isAlive()).isTrue();
        child.close();
        await().atMost(SOON).until(() -> !grandchild.isAlive());
    }

    /** Fails at once. */
    static final class Failing implements ChildScenario {
        @Override
        public void run(ParentJvm parent) {
            System.out.println("what it said before");
            throw new IllegalStateException("why it failed");
        }
    }

    @Test
    void failuresShowWhatTheChildSaid() throws Exception {
        try (ChildJvm child = ChildJvm.of(Failing.class).jvmArgs(SmallJvm.FLAGS).start()) {
            assertThatThrownBy(() -> child.awaitMark("never", SOON)).isInstanceOf(AssertionError.class)
                    .hasMessageContaining("never").hasMessageContaining("what it said before").hasMessageContaining("why it failed");
            assertThat(child.awaitExit(SOON)).isEqualTo(1);
            assertThatThrownBy(() -> {
                child.send("one"); // the pipe may take a line before it breaks
                child.send("two");
            }).isInstanceOf(AssertionError.class).hasMessageContaining("why it failed");
        }
        assertThatThrownBy(() -> ChildJvm.of(Echo.class).jvmArgs("-Xnonsense").start()).isInstanceOf(AssertionError.class)
                .hasMessageContaining("-Xnonsense");
        try (ChildJvm child = ChildJvm.of(Echo.class).jvmArgs(SmallJvm.FLAGS).start()) {
            child.awaitMark("property", SOON);
            assertThatThrownBy(() -> child.awaitMark("never", A_MOMENT)).isInstanceOf(AssertionError.class)
                    .hasMessageContaining("within 100 ms").hasMessageContaining("args");
            assertThatThrownBy(() -> child.awaitExit(A_MOMENT)).isInstanceOf(AssertionError.class);
        }
    }

    /** Counts, and reports each number. */
    static final class Ticking implements ChildScenario {
        @Override
        public void run(ParentJvm parent) throws Exception {
            Runtime.getRuntime().addShutdownHook(new Thread(() -> parent.mark("hook")));
            while (true) {
                parent.mark("tick");
                Thread.sleep(10);
            }
        }
    }

    @Test
    void freezesWakesAndKills() throws Exception {
        ChildJvm child = ChildJvm.of(Ticking.class).jvmArgs(SmallJvm.FLAGS).start();
        try (child) {
            child.awaitMark("tick", SOON);
            child.freeze();
            assertThat(child.isFrozen()).isTrue();
            assertThat(child.isAlive()).isTrue();
            await("it says no more, once all is heard that it had said before").atMost(SOON).until(() -> {
                while (child.pollMark("tick").isPresent()) {
                    // what it had reported before
                }
                Thread.sleep(200);
                return child.pollMark("tick").isEmpty();
            });
            child.wake();
            child.awaitMark("tick", SOON);
            assertThat(child.isFrozen()).isFalse();
            child.freeze();
            child.kill();
            assertThat(child.isAlive()).isFalse();
            assertThat(child.awaitExit(SOON)).isEqualTo(128 + 9);
            assertThat(child.pollMark("hook")).isEmpty();
        }
        try (ChildJvm ended = ChildJvm.of(Ticking.class).jvmArgs(SmallJvm.FLAGS).start()) {
            ended.awaitMark("tick", SOON); // its hook is installed
            ended.terminate();
            ended.awaitMark("hook", SOON);
            assertThat(ended.awaitExit(SOON)).isEqualTo(128 + 15);
        }
    }

    @Test
    void closeLeavesNothingBehind() throws Exception {
        ChildJvm running = ChildJvm.of(Ticking.class).jvmArgs(SmallJvm.FLAGS).start();
        ChildJvm frozen = ChildJvm.of(Ticking.class).jvmArgs(SmallJvm.FLAGS).start();
        ChildJvm wrapped = ChildJvm.of(Ticking.class).jvmArgs(SmallJvm.FLAGS).wrappedBy("/bin/sh", "-c", "\"$@\"; true", "sh").start();
        List<ProcessHandle> before = new ArrayList<>();
        for (ChildJvm each : List.of(running, frozen, wrapped)) {
            ProcessHandle.of(each.pid()).ifPresent(before::add);
        }
        ProcessHandle.of(wrapped.pid()).flatMap(ProcessHandle::parent).ifPresent(before::add);
        assertThat(before).hasSize(4).allMatch(ProcessHandle::isAlive);
        frozen.freeze();
        assertThat(wrapped.isAlive()).isTrue();
        for (ChildJvm each : List.of(running, frozen, wrapped)) {
            each.close();
            each.close();
            assertThat(each.isAlive()).isFalse();
        }
        await().atMost(SOON).until(() -> before.stream().noneMatch(ProcessHandle::isAlive));
    }

    /** A test JVM with a running child and a frozen one. */
    static final class TestJvm implements ChildScenario {
        @Override
        public void run(ParentJvm parent) throws Exception {
            ChildJvm running = ChildJvm.of(Ticking.class).jvmArgs(SmallJvm.FLAGS).start();
            ChildJvm frozen = ChildJvm.of(Ticking.class).jvmArgs(SmallJvm.FLAGS).start();
            frozen.freeze();
            ChildJvm starting = ChildJvm.of(Starting.class).jvmArgs(SmallJvm.FLAGS).start();
            parent.mark("children", running.pid(), frozen.pid(), starting.pid(), starting.awaitMark("started-one", SOON).number(0));
            parent.awaitLine();
        }
    }

    @Test
    void childrenDoNotOutliveTheTestJvmFrozenOrNot() throws Exception {
        try (ChildJvm test = ChildJvm.of(TestJvm.class).jvmArgs(SmallJvm.FLAGS).start()) {
            ChildJvm.Mark children = test.awaitMark("children", SOON);
            List<ProcessHandle> all = children.details().stream().map(pid -> ProcessHandle.of(Long.parseLong(pid)).orElseThrow()).toList();
            assertThat(all).hasSize(4);
            test.kill();
            await().atMost(SOON).until(() -> all.stream().noneMatch(ProcessHandle::isAlive));
        }
    }
}
