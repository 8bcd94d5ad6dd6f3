package dev.sessionlock.testkit.contract;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.testkit.contract.StateFileEngines.Fault;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.junit.platform.launcher.listeners.TestExecutionSummary;

/** The contract rejects wrong engines, each by the test that is there for it, and accepts a correct engine of another kind. */
@Tag("soak")
class ContractCatchesTest {

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            TOKEN_STANDS_STILL | whoWaitsGetsInWhenTheHolderCloses | a token must be greater
            RELEASED_BY_ANYONE | othersTakeOverFromAFrozenHolder | not "lost KERNEL_LOCK_LOST"
            HOLDER_DOES_NOT_KNOW_ITS_LEASE | othersTakeOverFromAFrozenHolder | should be "lost LEASE_EXPIRED"
            SOMETIMES_DOES_NOT_LOOK | onlyOneIsInAtATimeAndTokensGrow | mutual exclusion was broken
            """, quoteCharacter = '`')
    void wrongLockFailsTheTestThatIsThereForIt(Fault fault, String test, String message) throws Exception {
        fails(fault, test, message);
    }

    @Tag("soak")
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            NEVER_TAKEN_OVER | othersTakeOverFromAFrozenHolder | has not answered within
            ALWAYS_TAKEN_OVER | frozenHolderWithoutTakeoverIsWaitedFor | took over from a holder that asked for takeover(false)
            NEVER_RENEWED | leaseIsRenewedAsLongAsTheProcessRuns | is to outlast its lease
            DEATH_IS_NOT_NOTICED | killedHolderMakesWayFrozenOrNot | LockTimeoutException
            """, quoteCharacter = '`')
    void otherWrongLockFailsTheTestThatIsThereForIt(Fault fault, String test, String message) throws Exception {
        fails(fault, test, message);
    }

    private static void fails(Fault fault, String test, String message) throws ClassNotFoundException {
        TestExecutionSummary summary = run(DiscoverySelectors.selectMethod(contract(fault), test));
        assertThat(summary.getTestsStartedCount()).isOne();
        assertThat(summary.getFailures()).singleElement()
                .satisfies(failure -> assertThat(failure.getException()).isInstanceOf(AssertionError.class).hasMessageContaining(message));
    }

    @Test
    @Tag("soak")
    void rightLockOfAnotherKindPasses() throws Exception {
        TestExecutionSummary summary = run(DiscoverySelectors.selectClass(contract(Fault.NONE)));
        StringWriter words = new StringWriter();
        summary.printFailuresTo(new PrintWriter(words));
        assertThat(summary.getFailures()).as("%s", words).isEmpty();
        assertThat(summary.getTestsSucceededCount()).isGreaterThan(12);
    }

    private static Class<?> contract(Fault fault) throws ClassNotFoundException {
        return Class.forName(StateFileContract.class.getName() + "$" + fault.name());
    }

    private static TestExecutionSummary run(DiscoverySelector what) {
        SummaryGeneratingListener listener = new SummaryGeneratingListener();
        LauncherFactory.create().execute(LauncherDiscoveryRequestBuilder.request().selectors(what)
                .configurationParameter("junit.jupiter.execution.parallel.enabled", "false").build(), listener);
        return listener.getSummary();
    }
}
