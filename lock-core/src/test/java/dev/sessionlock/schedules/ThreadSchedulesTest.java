package dev.sessionlock.schedules;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The threads of one JVM under a scheduler (Fray) that decides at each lock, wait and volatile access which of them goes on. The library is the real one, with its
 * keeper, its workers and its kernel waiters; the engine below it is in memory, and fails where the {@link Scenario} says so.
 *
 * <p>To replay a schedule that fails: {@code -Dschedules.first=SEED -Dschedules.count=1}. What happened stands in {@code target/fray/sound.txt}.
 */
@Timeout(value = 1, unit = TimeUnit.HOURS) // many schedules take long on a busy machine, and FrayJvm ends a program that hangs
class ThreadSchedulesTest {
    /** Twice as many as the rule that is hardest to catch needs. */
    private static final int ENOUGH = 2_500;
    private static FrayJvm fray;

    @BeforeAll
    static void makeJvm() throws Exception {
        fray = FrayJvm.orSkip();
    }

    /** Always the same ones: a failure that others would bring to light must not meet whoever happens to build next. */
    @Test
    void rulesHoldInEachSchedule() throws Exception {
        play(Long.getLong("schedules.first", 1), Long.getLong("schedules.count", Boolean.getBoolean("soak") ? 10_000 : 30));
    }

    @Test
    @Tag("soak")
    void rulesHoldInSchedulesThatNobodyHasSeen() throws Exception {
        play(Long.getLong("schedules.first", ThreadLocalRandom.current().nextLong(Long.MAX_VALUE / 2)), Long.getLong("schedules.count", 10_000));
    }

    private static void play(long first, long count) throws Exception {
        FrayJvm.Outcome outcome = fray.play(null, first, count);
        System.out.println("ThreadSchedulesTest: from seed " + first + ": " + outcome.said().lines().findFirst().orElse("nothing was said"));
        assertThat(outcome.exitValue()).as(() -> outcome.said() + "\nreplay it with -Dtest=ThreadSchedulesTest#rulesHoldInEachSchedule -Dschedules.count=1 -Dschedules.first=SEED").isZero();
    }

    @ParameterizedTest
    @EnumSource(names = "FREED_WITHOUT_WAKING")
    void brokenRuleIsCaught(Broken rule) throws Exception {
        requireCaught(rule);
    }

    /** The rest: some are caught after hundreds of schedules only. */
    @ParameterizedTest
    @EnumSource(names = {"LAST_READER_KEEPS_IT", "LOSS_TOLD_TO_ONE", "JOINED_AFTER_THE_CHECK", "MODE_IGNORED", "JOINED_PAST_A_WRITER"})
    @Tag("soak")
    void brokenRuleIsCaughtInTheEnd(Broken rule) throws Exception {
        requireCaught(rule);
    }

    private static void requireCaught(Broken rule) throws Exception {
        FrayJvm.Outcome outcome = fray.play(rule, 1, ENOUGH);
        System.out.println("ThreadSchedulesTest: " + rule + ": " + outcome.said().lines().findFirst().orElse("nothing was said"));
        assertThat(outcome.said()).as("a schedule that fails").startsWith("FAILED").contains(Violation.class.getName()).doesNotContain("VerifyError");
        assertThat(outcome.exitValue()).isOne();
    }
}
