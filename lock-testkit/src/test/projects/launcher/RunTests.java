import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.io.PrintWriter;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;

/** Runs test classes, as a build tool does in the JVM that it forks; its exit status is 0 if some were run and none failed. */
public final class RunTests {
    private RunTests() {
    }

    /**
     * Runs them.
     *
     * @param classes their names
     */
    public static void main(String[] classes) throws Exception {
        LauncherDiscoveryRequestBuilder request = LauncherDiscoveryRequestBuilder.request();
        for (String name : classes) {
            request.selectors(selectClass(Class.forName(name)));
        }
        SummaryGeneratingListener listener = new SummaryGeneratingListener();
        LauncherFactory.create().execute(request.build(), listener);
        listener.getSummary().printFailuresTo(new PrintWriter(System.out, true), 40);
        System.out.println(listener.getSummary().getTestsSucceededCount() + " passed, " + listener.getSummary().getTotalFailureCount()
                + " failed");
        System.exit(listener.getSummary().getTestsSucceededCount() > 0 && listener.getSummary().getTotalFailureCount() == 0 ? 0 : 1);
    }
}
