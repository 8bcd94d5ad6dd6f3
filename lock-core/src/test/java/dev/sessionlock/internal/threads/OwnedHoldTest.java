package dev.sessionlock.internal.threads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What the engine has given is given back exactly once, whatever it throws. */
class OwnedHoldTest {
    private static final Terms TERMS = new Terms(1_000_000_000L, true, -1, "thread", null, false);

    private final List<String> calls = new ArrayList<>();
    private AcquireResult answer = new Given();
    private @Nullable Hold passedOn;
    private boolean tidied = true;
    /** The method that throws once. */
    private @Nullable String faultAt;
    private final OwnedHold owned = new OwnedHold((EngineLock) Proxy.newProxyInstance(EngineLock.class.getClassLoader(), new Class<?>[] {EngineLock.class},
            (proxy, method, args) -> {
                calls.add(method.getName());
                if (method.getName().equals(faultAt)) {
                    faultAt = null;
                    throw new StackOverflowError();
                }
                return switch (method.getName()) {
                    case "take" -> answer;
                    case "handOver" -> passedOn;
                    case "tidy" -> tidied;
                    default -> null;
                };
            }));

    private static final class Given extends Hold {
        Given() {
            super(TERMS, 1, 0, Long.MAX_VALUE, null);
        }
    }

    @Test
    void tryThatFailsSaysWhatIsInTheWayAndOwnsNothing() throws Exception {
        answer = new Busy(Busy.NOTHING, 0, "somebody has it");
        assertThat(owned.take(TERMS)).isSameAs(answer);
        assertThat(owned.isPresent()).isFalse();
        assertThat(owned.isUntidy()).as("it may have left something behind").isTrue();
    }

    @Test
    void whatIsTakenIsOwnedAndCountsAsUntidyUntilItIsGivenBackInGoodOrder() throws Exception {
        assertThat(owned.take(TERMS)).isNull();
        assertThat(owned.hold()).isSameAs(answer);
        assertThat(owned.isUntidy()).isTrue();
        owned.giveBack(false);
        assertThat(owned.isPresent()).isFalse();
        assertThat(owned.isUntidy()).isTrue();
        owned.tidy();
        assertThat(owned.isUntidy()).isFalse();
        assertThat(calls).containsExactly("take", "release", "tidy");
    }

    @Test
    void tryThatThrowsLeavesSomethingToTidyUp() {
        faultAt = "take";
        assertThatThrownBy(() -> owned.take(TERMS)).isInstanceOf(StackOverflowError.class);
        assertThat(owned.isPresent()).isFalse();
        assertThat(owned.isUntidy()).isTrue();
    }

    @Test
    void whatCouldNotBeGivenBackIsStillOwned() throws Exception {
        owned.take(TERMS);
        faultAt = "release";
        assertThatThrownBy(() -> owned.giveBack(false)).isInstanceOf(StackOverflowError.class);
        assertThat(owned.hold()).isSameAs(answer);
        owned.giveBack(true);
        assertThat(owned.isPresent()).isFalse();
        owned.giveBack(true);
        assertThat(calls).containsExactly("take", "release", "releaseSoon");
    }

    @Test
    void whatCannotBeHandedOverIsAsItWas() throws Exception {
        owned.take(TERMS);
        assertThat(owned.handOver(TERMS)).isFalse();
        assertThat(owned.hold()).isSameAs(answer);
        faultAt = "handOver";
        assertThatThrownBy(() -> owned.handOver(TERMS)).isInstanceOf(StackOverflowError.class);
        assertThat(owned.hold()).isSameAs(answer);
        passedOn = new Given();
        assertThat(owned.handOver(TERMS)).isTrue();
        assertThat(owned.hold()).isSameAs(passedOn);
    }

    @Test
    void whatIsNotTidyYetIsTriedAgain() {
        owned.markUntidy();
        tidied = false;
        owned.tidy();
        assertThat(owned.isUntidy()).isTrue();
        tidied = true;
        owned.tidy();
        assertThat(owned.isUntidy()).isFalse();
    }
}
