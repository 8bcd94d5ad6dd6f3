package dev.sessionlock;

import static dev.sessionlock.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.lang.management.ManagementFactory;
import java.lang.ref.WeakReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import javax.management.JMX;
import javax.management.MBeanServer;
import javax.management.ObjectName;
import javax.management.openmbean.TabularData;
import org.junit.jupiter.api.Test;

/** JMX shows the locks of those who ask for it, until they are closed. */
class JmxTest extends LocksFixture {
    private static final MBeanServer SERVER = ManagementFactory.getPlatformMBeanServer();

    private static ObjectName name(String name) throws Exception {
        return new ObjectName("dev.sessionlock:type=SessionLocks,name=" + name);
    }

    @Test
    void showsTheCounters() throws Exception {
        try (SessionLocks shown = SessionLocks.builder().jmx("shown").build()) {
            SessionLocksMXBean bean = JMX.newMXBeanProxy(SERVER, name("shown"), SessionLocksMXBean.class);
            try (SessionLock lock = shown.acquire(session()); Actor waiter = actor("waiter")) {
                waiter.begin(() -> shown.acquire(session(), PATIENT));
                await().until(() -> bean.getWaiting() == 1 && bean.getLongestWaitSeconds() > 0);
                assertThat(bean.getHeld()).isOne();
                double waited = bean.getLongestWaitSeconds(); // read first: both grow
                assertThat(bean.getLongestHoldSeconds()).isGreaterThan(waited);
                Files.delete(lock.lockFile());
                await().until(() -> bean.getLost() == 1);
                assertThat(bean.getLostByReason()).containsEntry("REMOVED_BY_HAND", 1L).containsEntry("LEAKED", 0L);
            }
            assertThat(bean.getTimeouts()).isZero();
            assertThat(bean.getTakeovers()).isZero();
            assertThat(bean.getDroppedEvents()).isZero();
            assertThat(bean.getAcquired()).isPositive();
        }
    }

    /** What a tool sees that has none of our classes. */
    @Test
    void needsNoClassOfOursToBeRead() throws Exception {
        try (SessionLocks shown = SessionLocks.builder().jmx("plain").build()) {
            shown.acquire(session()).close();
            assertThat(SERVER.getAttribute(name("plain"), "Acquired")).isEqualTo(1L);
            assertThat(SERVER.getAttribute(name("plain"), "LostByReason")).isInstanceOf(TabularData.class);
        }
    }

    @Test
    void isThereOnlyOnRequestAndUntilItIsClosed() throws Exception {
        assertThat(SERVER.queryNames(name("*"), null)).isEmpty();
        SessionLocks shown = SessionLocks.builder().jmx("brief").build();
        assertThat(SERVER.queryNames(name("*"), null)).containsExactly(name("brief"));
        shown.close();
        shown.close();
        assertThat(SERVER.queryNames(name("*"), null)).isEmpty();
    }

    @Test
    void twoOfOneNameAreRefused() throws Exception {
        try (SessionLocks first = SessionLocks.builder().jmx("same").build()) {
            assertThatIllegalStateException().isThrownBy(() -> SessionLocks.builder().jmx("same").build()).withMessageContaining("same");
            assertThat(first.stats().acquired()).isZero();
            assertThat(SERVER.isRegistered(name("same"))).as("the first one stays").isTrue();
        }
    }

    @Test
    void anyNameWillDo() throws Exception {
        try (SessionLocks shown = SessionLocks.builder().jmx("a,b=\"*?\"\n").build()) {
            assertThat(SERVER.queryNames(name("*"), null)).hasSize(1);
            assertThat(shown.stats().acquired()).isZero();
        }
    }

    /** Like an application server with a web application that contains the library. */
    @Test
    void nothingKeepsItsClassLoaderOnceItIsClosed() throws Exception {
        OwnClassLoader.awaitUnreachable(usedAndClosed());
    }

    private WeakReference<ClassLoader> usedAndClosed() throws Exception {
        OwnClassLoader loader = new OwnClassLoader();
        Object builder = loader.sessionLocks().getMethod("builder").invoke(null);
        builder.getClass().getMethod("jmx", String.class).invoke(builder, "web");
        builder.getClass().getMethod("logLongWaits", Duration.class).invoke(builder, Duration.ofMillis(10));
        try (AutoCloseable other = (AutoCloseable) builder.getClass().getMethod("build").invoke(builder)) {
            try (AutoCloseable lock = (AutoCloseable) other.getClass().getMethod("acquire", Path.class).invoke(other, session())) {
                assertThat(lock.toString()).contains("held");
                assertThat(SERVER.getAttributes(name("web"), new String[] {"Held", "LostByReason"}).asList()).hasSize(2);
                assertThat(Map.of("held", SERVER.getAttribute(name("web"), "Held"))).containsEntry("held", 1L);
            }
        }
        return new WeakReference<>(loader);
    }
}
