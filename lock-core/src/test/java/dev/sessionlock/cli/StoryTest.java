package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.Facts;
import dev.sessionlock.LockReport.KernelLockState;
import dev.sessionlock.LockReport.ProcessState;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.LockReport.Waiter;
import dev.sessionlock.LockReport.WaiterPlace;
import dev.sessionlock.PastHold;
import dev.sessionlock.PastHold.Ending;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What is made of facts, without processes and files. */
class StoryTest {
    private static final Instant NOW = Instant.parse("2026-11-30T03:00:00Z");
    private static final Duration SHORT = Duration.ofMillis(100);

    private static LockReport held(String name, long pid, String thread, Duration age, Waiter... waiters) {
        Instant since = NOW.minus(age);
        LockOwner owner = new LockOwner(pid, "moss", null, since, thread, "compaction", 7L, null);
        Facts facts = new Facts(ProcessState.ALIVE, false, since).withKernelLock(KernelLockState.HELD, pid).withWaiters(List.of(waiters));
        return new LockReport(name, Path.of("/s", name + ".lock"), State.HELD, owner, facts);
    }

    private static Waiter waiter(long pid, String thread, Duration waited) {
        return new Waiter(pid, null, thread, "append", NOW.minus(waited), WaiterPlace.OTHER_PROCESS);
    }

    private static PastHold past(Ending ending, Duration ago, Duration lasted) {
        return new PastHold("a", 1L, 5, "moss", "t", "compaction", NOW.minus(ago).minus(lasted), NOW.minus(ago), ending, 1, lasted, Duration.ZERO, Duration.ZERO);
    }

    private static List<PastHold> past(int times, Duration lasted) {
        List<PastHold> all = new ArrayList<>();
        for (int i = 1; i <= times; i++) {
            all.add(past(Ending.RELEASED, Duration.ofMinutes(i), lasted));
        }
        return all;
    }

    private static Story story(LockReport report, List<PastHold> past, @Nullable ThreadSnapshot thread, LockReport... others) {
        return Story.of(new ReportView(Path.of("/s/" + report.name()), report, NOW), past, List.of(others), thread, PastIncident.of(past, NOW));
    }

    private static String text(Story story) {
        return new StorySentences(story).text(false);
    }

    @Nested
    class TheCause {
        private final ThreadSnapshot waits = ThreadSnapshot.found("t", "TIMED_WAITING", List.of("java.lang.Thread.sleep(Native Method)", "com.example.Up.load(Up.java:7)"), null, null);
        private final ThreadSnapshot idle = ThreadSnapshot.found("t", "WAITING", List.of("jdk.internal.misc.Unsafe.park(Native Method)",
                "java.util.concurrent.ThreadPoolExecutor.getTask(ThreadPoolExecutor.java:1062)"), null, null);
        private final ThreadSnapshot works = ThreadSnapshot.found("t", "RUNNABLE", List.of("com.example.Zip.pack(Zip.java:9)"), Duration.ofMillis(97), Duration.ofMillis(100));
        private final ThreadSnapshot job = ThreadSnapshot.found("main", "WAITING", List.of("java.lang.Object.wait(Native Method)", "dev.sessionlock.cli.Job.await(Job.java:1)"), null,
                null);

        private Cause of(Duration age, @Nullable ThreadSnapshot thread, List<PastHold> past) {
            return story(held("a", 5, "t", age), past, thread).cause();
        }

        private Cause ofWaitedFor(Duration age, @Nullable ThreadSnapshot thread) {
            return story(held("a", 5, "t", age, waiter(6, "u", age)), List.of(), thread).cause();
        }

        @Test
        void threadThatIsGoneOrIdleHasLeakedItsHandle() {
            assertThat(ofWaitedFor(Duration.ofSeconds(2), ThreadSnapshot.gone("t"))).isEqualTo(Cause.LEAKED_HANDLE);
            assertThat(ofWaitedFor(Duration.ofSeconds(2), idle)).isEqualTo(Cause.LEAKED_HANDLE);
            assertThat(of(Duration.ofSeconds(62), idle, List.of())).isEqualTo(Cause.LEAKED_HANDLE);
            assertThat(of(SHORT, idle, List.of())).as("it may be about to be closed").isEqualTo(Cause.NONE);
            assertThat(of(Duration.ofSeconds(2), idle, List.of())).as("it may linger: nobody waits").isEqualTo(Cause.NONE);
            assertThat(of(Duration.ofSeconds(61), idle, List.of())).as("it may linger: nobody waits").isNotEqualTo(Cause.LEAKED_HANDLE);
        }

        @Test
        void threadHangsIfItStandsStillForAnUnusualTime() {
            assertThat(of(Duration.ofSeconds(11), waits, List.of())).isEqualTo(Cause.HUNG_THREAD);
            assertThat(of(Duration.ofSeconds(5), waits, List.of())).as("who knows what is usual").isEqualTo(Cause.NONE);
            assertThat(of(Duration.ofSeconds(5), waits, past(3, SHORT))).isEqualTo(Cause.HUNG_THREAD);
            assertThat(of(Duration.ofSeconds(5), waits, past(3, Duration.ofSeconds(1)))).as("as usual").isEqualTo(Cause.NONE);
            assertThat(of(Duration.ofMinutes(1), works, List.of())).isEqualTo(Cause.LONG_HOLD);
            assertThat(of(Duration.ofMinutes(1), job, List.of())).as("the thread of run waits for its job").isEqualTo(Cause.LONG_HOLD);
            assertThat(of(Duration.ofMinutes(1), null, List.of())).as("nobody could look").isEqualTo(Cause.LONG_HOLD);
        }

        @Test
        void holderThatWaitsForAnotherLock() {
            LockReport b = held("b", 6, "u", Duration.ofMinutes(1), waiter(5, "t", Duration.ofSeconds(9)));
            Story story = story(held("a", 5, "t", Duration.ofSeconds(9)), List.of(), null, b);
            assertThat(story.cause()).isEqualTo(Cause.WAITS_FOR_ANOTHER_LOCK);
            assertThat(new StorySentences(story).next().step()).endsWith(" why /s/b");
            assertThat(story(held("a", 5, "another thread", Duration.ofSeconds(9)), List.of(), null, b).cause()).isEqualTo(Cause.NONE);
        }

        @Test
        void circleIsADeadlock() {
            LockReport b = held("b", 6, "u", Duration.ofMinutes(1), waiter(5, "t", Duration.ofSeconds(9)));
            LockReport a = held("a", 5, "t", Duration.ofSeconds(9), waiter(6, "u", Duration.ofSeconds(8)));
            Story story = story(a, List.of(), null, a, b);
            assertThat(story.cause()).isEqualTo(Cause.DEADLOCK);
            assertThat(text(story)).contains("holds a and waits for b", "holds b and waits for a");
        }

        @Test
        void waiterThatKeepsOthersWaiting() {
            LockReport b = held("b", 6, "u", Duration.ofMinutes(1), waiter(9, "w", Duration.ofSeconds(9)));
            Story story = story(held("a", 5, "t", SHORT, waiter(6, "u", SHORT)), List.of(), null, b);
            assertThat(text(story)).contains("pid 6, thread \"u\", waits for this and holds b, for which 1 waits");
        }

        @Test
        void eachStateHasWordsAndAStep() {
            for (State state : State.values()) {
                for (ProcessState process : ProcessState.values()) {
                    LockReport report = new LockReport("a", Path.of("/s/a.lock"), state, null, new Facts(process, true, null));
                    Story story = story(report, List.of(), null);
                    assertThat(text(story)).as("%s %s", state, process).contains("  why ", "  to do ").doesNotContain("null");
                    assertThat(new StoryPage(story).page()).startsWith(StoryPage.BEGINNING).doesNotContain("null");
                    assertThat(StoryDocument.of(story)).startsWith("{\"version\":1,\"lock\":{");
                }
            }
        }
    }

    @Nested
    class ThePast {
        @ParameterizedTest
        @EnumSource
        void eachEndingHasWordsAndAStep(Ending ending) {
            List<PastHold> past = List.of(past(Ending.RELEASED, Duration.ofSeconds(2), SHORT), past(ending, Duration.ofSeconds(5), Duration.ofSeconds(3)));
            Story story = story(new LockReport("a", Path.of("/s/a.lock"), State.FREE, null, new Facts(ProcessState.UNKNOWN, false, null)), past, null);
            boolean trouble = ending != Ending.RELEASED && ending != Ending.UNKNOWN;
            assertThat(new StorySentences(story).before() != null).isEqualTo(trouble);
            assertThat(text(story)).doesNotContain("null").contains(HoldRows.ending(ending));
            if (trouble) {
                assertThat(text(story)).contains("1 hold has ended well since").containsPattern("  to do     (nothing|look|journalctl)");
            }
        }

        @Test
        void troubleIsForgottenAfterADay() {
            assertThat(PastIncident.of(List.of(past(Ending.LEAKED, Duration.ofHours(23), SHORT)), NOW)).isNotNull();
            assertThat(PastIncident.of(List.of(past(Ending.LEAKED, Duration.ofHours(25), SHORT)), NOW)).isNull();
        }

        @Test
        void troubleBehindTheLastTenIsShown() {
            List<PastHold> past = new ArrayList<>(past(11, SHORT));
            past.add(past(Ending.PROCESS_DIED, Duration.ofMinutes(20), Duration.ofMinutes(1)));
            String text = text(story(held("a", 5, "t", SHORT), past, null));
            assertThat(text).contains("process killed or crashed: pid 5", "11 holds have ended well since", "and further back:");
            assertThat(text.lines().filter(line -> line.contains("process died"))).hasSize(1);
            assertThat(text.lines().filter(line -> line.contains("released"))).hasSize(Story.SHOWN);
        }

        @Test
        void longHoldThatWasReleasedIsTrouble() {
            List<PastHold> past = new ArrayList<>(past(5, SHORT));
            past.add(0, past(Ending.RELEASED, Duration.ofSeconds(9), Duration.ofMinutes(22)));
            assertThat(PastIncident.of(past, NOW)).extracting(PastIncident::cause).isEqualTo(Cause.LONG_HOLD);
        }

        @Test
        void unusual() {
            List<PastHold> past = new ArrayList<>(past(5, SHORT));
            for (int i = 0; i < 3; i++) {
                past.add(0, past(Ending.LEAKED, Duration.ofSeconds(9 - i), SHORT));
            }
            String text = text(story(held("a", 5, "t", Duration.ofSeconds(4), waiter(8, "w", Duration.ofSeconds(12))), past, null));
            assertThat(text).contains("held 40 times as long as the median of the last 5 holds for \"compaction\" (100 ms)",
                    "the last 3 holds for \"compaction\" all ended like this: leaked", "3 of the last 8 holds ended otherwise than by a release",
                    "somebody has waited for 12 s; by default callers give up after 10 s");
        }

        @Test
        void summedUpHoldsCountAsTheLongestOfThem() {
            PastHold many = new PastHold("a", 1L, 5, null, null, null, NOW, NOW, Ending.RELEASED, 90, SHORT, null, null);
            PastHold one = new PastHold("a", 1L, 5, null, null, null, NOW, NOW, Ending.RELEASED, 1, Duration.ofHours(1), null, null);
            assertThat(TypicalHold.of(List.of(one, many, one), null)).isEqualTo(new TypicalHold(SHORT, 92, null));
            assertThat(TypicalHold.of(List.of(one, one), null)).as("too few").isNull();
        }

        /** Whoever may write to the directory may have written it. */
        @Test
        void absurdNumbersAreCounted() {
            PastHold endless = new PastHold("a", 1L, 5, "moss", "t", null, NOW, NOW, Ending.RELEASED, Long.MAX_VALUE, Duration.ofSeconds(Long.MAX_VALUE / 2), null, null);
            TypicalHold usual = TypicalHold.of(List.of(endless, endless, endless), null);
            assertThat(usual.times(Duration.ofSeconds(Long.MAX_VALUE))).isEqualTo(2);
            assertThat(PastIncident.of(List.of(endless, endless, past(Ending.LEAKED, SHORT, SHORT)), NOW).after()).isPositive();
            assertThat(story(held("a", 5, "t", Duration.between(Instant.MIN, NOW)), List.of(endless, endless, endless), null).cause()).isNotNull();
        }
    }

    @Nested
    class AThreadDump {
        private final List<String> dump = """
                "a b" #12 prio=5 os_prio=0 cpu=1.00ms elapsed=6.57s tid=0x00007fb794018040 nid=0x3baa waiting on condition  [0x00007fb79971d000]
                   java.lang.Thread.State: TIMED_WAITING (sleeping)
                \tat java.lang.Thread.sleep(java.base@17.0.15/Native Method)
                \t- locked <0x1> (a java.lang.Object)
                \tat app//com.example.Up.load(Up.java:7)
                \tat com.example.Up$$Lambda$25/0x00007f93690230a0.call(Unknown Source)

                "a b c" #13 [15274] prio=5
                """.lines().toList();

        @Test
        void stackOfAThread() throws Exception {
            assertThat(ThreadDump.heads("a b", dump)).containsExactly(0);
            assertThat(ThreadDump.heads("a", dump)).isEmpty();
            ThreadSnapshot look = ThreadDump.parse("a b", dump, 0, null);
            assertThat(look.frames()).containsExactly("java.lang.Thread.sleep(Native Method)", "com.example.Up.load(Up.java:7)",
                    "com.example.Up$$Lambda$25/0x00007f93690230a0.call(Unknown Source)");
            assertThat(look.state()).isEqualTo("TIMED_WAITING");
            assertThat(look.where()).isEqualTo("com.example.Up.load(Up.java:7)");
        }

        @Test
        void processThatIsNoJvmIsNotAsked() throws Exception {
            assertIsNotAsked(new ProcessBuilder("sleep", "100").start());
        }

        /** As Go programs and web servers do, which end at it. */
        @Test
        void processThatCatchesTheSignalAndIsNoJvmIsNotAskedEither() throws Exception {
            Process other = new ProcessBuilder("sh", "-c", "trap 'exit 9' QUIT; echo ready; while :; do sleep 0.1; done").start();
            other.inputReader().readLine();
            assertIsNotAsked(other);
        }

        private static void assertIsNotAsked(Process other) throws Exception {
            try {
                assertThat(ThreadDump.look(other.pid(), "main").presence()).isEqualTo(ThreadSnapshot.Presence.UNKNOWN);
                assertThat(other.waitFor(500, TimeUnit.MILLISECONDS)).as("SIGQUIT has ended it").isFalse();
            } finally {
                other.destroyForcibly();
            }
        }

        @Test
        void jvmOfOursIsAsked() throws Exception {
            ThreadSnapshot look = ThreadDump.look(ProcessHandle.current().pid(), Thread.currentThread().getName());
            assertThat(look.frames()).anySatisfy(frame -> assertThat(frame).contains("StoryTest$AThreadDump.jvmOfOursIsAsked("));
        }

        @Test
        void threadWhoseNameIsNotKnownForCertainIsNotGone() throws Exception {
            Thread named = new Thread(() -> LockSupport.park(), "a name that a record would cut somewhere in here");
            named.setDaemon(true);
            named.start();
            long pid = ProcessHandle.current().pid();
            assertThat(ThreadDump.look(pid, "a name that a record would").presence()).isEqualTo(ThreadSnapshot.Presence.UNKNOWN);
            assertThat(ThreadDump.look(pid, "\u4f1a\u8bdd").presence()).isEqualTo(ThreadSnapshot.Presence.UNKNOWN);
            LockSupport.unpark(named);
        }
    }
}
