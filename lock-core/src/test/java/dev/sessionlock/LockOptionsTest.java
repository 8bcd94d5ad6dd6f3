package dev.sessionlock;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import java.time.Duration;
import java.util.List;
import java.util.function.Function;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.WithNull;
import org.junit.jupiter.api.Test;

/** Every option accepts what is inside its limits, exactly. It refuses the rest when it is set, and names the limits. */
class LockOptionsTest {

    private record Bounded(String name, Duration least, Duration most, String limits, Function<LockOptions, Duration> get, With with) {
        private interface With {
            LockOptions apply(LockOptions options, Duration value);
        }
    }

    private static final List<Bounded> BOUNDED = List.of(
            new Bounded("timeout", Duration.ZERO, Duration.ofDays(365), "from 0s to 8760h", LockOptions::timeout, LockOptions::withTimeout),
            new Bounded("lease", Duration.ofSeconds(1), Duration.ofMinutes(10), "from 1s to 10m", LockOptions::lease, LockOptions::withLease),
            new Bounded("maxHold", Duration.ofMillis(100), Duration.ofDays(365), "from 0.1s to 8760h", LockOptions::maxHold,
                    LockOptions::withMaxHold),
            new Bounded("revokeGrace", Duration.ZERO, Duration.ofMinutes(10), "from 0s to 10m", LockOptions::revokeGrace,
                    LockOptions::withRevokeGrace),
            new Bounded("linger", Duration.ZERO, Duration.ofMinutes(1), "from 0s to 1m", LockOptions::linger, LockOptions::withLinger),
            new Bounded("leakDetectionThreshold", Duration.ofMillis(100), Duration.ofDays(365), "from 0.1s to 8760h",
                    LockOptions::leakDetectionThreshold, LockOptions::withLeakDetectionThreshold));

    @Test
    void theDefaultsAreThoseOfTheManual() {
        LockOptions defaults = LockOptions.defaults();

        assertThat(defaults.timeout()).isEqualTo(Duration.ofSeconds(10));
        assertThat(defaults.lease()).isEqualTo(Duration.ofSeconds(30));
        assertThat(defaults.maxHold()).isEqualTo(Duration.ofMinutes(5));
        assertThat(defaults.takeover()).isTrue();
        assertThat(defaults.revokeGrace()).isEqualTo(Duration.ofSeconds(2));
        assertThat(defaults.reentrant()).isFalse();
        assertThat(defaults.linger()).isZero();
        assertThat(defaults.leakDetectionThreshold()).isZero();
        assertThat(defaults.purpose()).isNull();
        assertThat(defaults.mode()).isEqualTo(LockMode.EXCLUSIVE);
        assertThat(defaults).hasToString("LockOptions[timeout=PT10S, lease=PT30S, maxHold=PT5M, takeover=true, revokeGrace=PT2S, "
                + "reentrant=false, linger=PT0S, purpose=null]");
    }

    @Test
    void aModeIsNotNull() {
        assertThatNullPointerException().isThrownBy(() -> LockOptions.defaults().withMode(null)).withMessage("mode");
        assertThat(LockOptions.defaults().withMode(LockMode.SHARED)).asString().endsWith(", mode=SHARED]");
    }

    @Provide
    Arbitrary<Bounded> bounded() {
        return Arbitraries.of(BOUNDED);
    }

    /** All durations, with many near the limits. */
    @Provide
    Arbitrary<Duration> durations() {
        Arbitrary<Duration> all = Combinators.combine(Arbitraries.longs(), Arbitraries.longs().between(0, 999_999_999)).as(Duration::ofSeconds);
        Arbitrary<Duration> usual = Arbitraries.longs().between(-1_000, Duration.ofDays(400).toMillis()).map(Duration::ofMillis);
        Arbitrary<Duration> edges = Combinators.combine(
                Arbitraries.of(Duration.ZERO, Duration.ofMillis(100), Duration.ofSeconds(1), Duration.ofMinutes(1), Duration.ofMinutes(10),
                        Duration.ofDays(365)),
                Arbitraries.of(-1L, 0L, 1L)).as(Duration::plusNanos);
        Arbitrary<Duration> extremes = Arbitraries.of(Duration.ofSeconds(Long.MAX_VALUE, 999_999_999), Duration.ofSeconds(Long.MIN_VALUE),
                Duration.ofNanos(Long.MAX_VALUE), Duration.ofNanos(Long.MIN_VALUE), Duration.ofNanos(-1));
        return Arbitraries.oneOf(all, usual, edges, extremes);
    }

    @Property(tries = 1200)
    void aDurationIsKeptExactlyWhenInsideAndRefusedWithItsLimitsWhenOutside(
            @ForAll("bounded") Bounded option, @ForAll("durations") Duration value, @ForAll("options") LockOptions before) {
        String was = before.toString();
        boolean unlimited = option.name().equals("maxHold") && value.equals(LockOptions.UNLIMITED);
        boolean off = option.name().equals("leakDetectionThreshold") && value.isZero();
        boolean inside = unlimited || off || value.compareTo(option.least()) >= 0 && value.compareTo(option.most()) <= 0;
        if (inside) {
            LockOptions after = option.with().apply(before, value);
            assertThat(option.get().apply(after)).isEqualTo(value);
            for (Bounded other : BOUNDED) {
                if (other != option) {
                    assertThat(other.get().apply(after)).as(other.name()).isEqualTo(other.get().apply(before));
                }
            }
        } else {
            assertThatIllegalArgumentException().isThrownBy(() -> option.with().apply(before, value))
                    .withMessageStartingWith(option.name() + " must be ").withMessageContaining(option.limits())
                    .withMessageContaining("not " + value.toString().substring(2).toLowerCase(java.util.Locale.ROOT));
        }
        assertThat(before).hasToString(was);
    }

    @Test
    void nullIsRefusedByName() {
        for (Bounded option : BOUNDED) {
            assertThatNullPointerException().isThrownBy(() -> option.with().apply(LockOptions.defaults(), null)).withMessage(option.name());
        }
    }

    @Property(tries = 1000)
    void aPurposeIsCutToItsLengthOnAWholeCharacter(@ForAll @WithNull(0.1) String purpose) {
        String kept = LockOptions.defaults().withPurpose(purpose).purpose();

        if (purpose == null || purpose.isBlank()) {
            assertThat(kept).isNull();
        } else if (purpose.codePointCount(0, purpose.length()) <= 120) {
            assertThat(kept).isEqualTo(purpose);
        } else {
            assertThat(purpose).startsWith(kept);
            assertThat(kept.codePointCount(0, kept.length())).isEqualTo(120);
        }
    }

    @Test
    void aPurposeOfEmojiIsNotCutWithinOne() {
        assertThat(LockOptions.defaults().withPurpose("\ud83d\ude00".repeat(200)).purpose()).isEqualTo("\ud83d\ude00".repeat(120));
    }

    @Provide
    Arbitrary<LockOptions> options() {
        Arbitrary<Boolean> flag = Arbitraries.of(true, false);
        Arbitrary<String> purpose = Arbitraries.of("null", "a", "b", "pre-compaction flush").injectNull(0.3);
        Arbitrary<Duration> some = Arbitraries.of(Duration.ofSeconds(1), Duration.ofSeconds(7), Duration.ofMinutes(1));
        Arbitrary<Duration> leak = Arbitraries.of(Duration.ZERO, Duration.ofMillis(100));
        Arbitrary<LockOptions> bounds = Combinators.combine(some, some, some, some, some, leak)
                .as((timeout, lease, maxHold, grace, linger, threshold) -> LockOptions.defaults().withTimeout(timeout).withLease(lease)
                        .withMaxHold(maxHold).withRevokeGrace(grace).withLinger(linger).withLeakDetectionThreshold(threshold));
        return Combinators.combine(bounds, flag, flag, purpose)
                .as((options, takeover, reentrant, text) -> options.withTakeover(takeover)
                        .withReentrant(reentrant).withPurpose(text))
                .flatMap(each -> Arbitraries.of(LockMode.class).map(each::withMode));
    }

    @Property(tries = 800)
    void twoAreEqualExactlyWhenAllTheySayIs(@ForAll("options") LockOptions one, @ForAll("options") LockOptions other) {
        boolean same = values(one).equals(values(other));

        assertThat(one.equals(other)).as("%s, %s", one, other).isEqualTo(same);
        if (same) {
            assertThat(one).hasSameHashCodeAs(other).hasToString(other.toString());
        }
        assertThat(one).isEqualTo(one).isNotEqualTo(null).isNotEqualTo("x");
    }

    @Test
    void aPurposeThatReadsNullIsNotNoPurpose() {
        assertThat(LockOptions.defaults().withPurpose("null")).isNotEqualTo(LockOptions.defaults());
    }

    private static List<String> values(LockOptions options) {
        return List.of(options.timeout().toString(), options.lease().toString(), options.maxHold().toString(),
                options.revokeGrace().toString(), options.linger().toString(), options.leakDetectionThreshold().toString(), String.valueOf(options.takeover()),
                String.valueOf(options.reentrant()), options.mode().name(), options.purpose() == null ? "none" : "\"" + options.purpose() + "\"");
    }
}
