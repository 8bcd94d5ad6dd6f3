package dev.sessionlock;

import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.internal.system.Loggers;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import javax.management.InstanceAlreadyExistsException;
import javax.management.JMException;
import javax.management.MBeanServer;
import javax.management.MalformedObjectNameException;
import javax.management.ObjectName;

/**
 * One {@link SessionLocks} as the JVM's management shows it, until it is closed. The server refers to the bean, and so to the class loader of the library, as long as
 * it is registered. Loaded only if somebody asks for it: {@code java.management} may not be there, and takes longer to start than the first acquisition.
 */
final class JmxRegistration implements AutoCloseable {
    private final MBeanServer server;
    private final ObjectName name;

    /**
     * @throws IllegalArgumentException if that cannot be part of a name
     * @throws IllegalStateException if another one has that name, or if it cannot be registered
     */
    JmxRegistration(SessionLocks locks, String name) {
        this.server = ManagementFactory.getPlatformMBeanServer();
        this.name = objectName(name);
        try {
            server.registerMBean(new Bean(locks), this.name);
        } catch (InstanceAlreadyExistsException e) {
            throw new IllegalStateException("another SessionLocks of this JVM has the JMX name " + this.name + ": give each a name of its own", e);
        } catch (JMException e) {
            throw new IllegalStateException("cannot register " + this.name + ": " + e, e);
        }
    }

    /** What an object's name cannot have as it is, is quoted. */
    private static ObjectName objectName(String name) {
        String value = name.matches("[\\w .-]+") ? name : ObjectName.quote(name);
        try {
            return new ObjectName("dev.sessionlock:type=SessionLocks,name=" + value);
        } catch (MalformedObjectNameException e) {
            throw new IllegalArgumentException("jmx(" + name + ") cannot be part of a JMX name: " + e.getMessage(), e);
        }
    }

    /** Never throws: somebody else may have unregistered it. */
    @Override
    public void close() {
        try {
            if (server.isRegistered(name)) {
                server.unregisterMBean(name);
            }
        } catch (JMException | RuntimeException e) {
            Loggers.LIBRARY.warn("{} could not be unregistered", name, e);
        }
    }

    private record Bean(SessionLocks locks) implements SessionLocksMXBean {
        @Override
        public long getHeld() {
            return locks.stats().held();
        }

        @Override
        public long getWaiting() {
            return locks.stats().waiting();
        }

        @Override
        public long getAcquired() {
            return locks.stats().acquired();
        }

        @Override
        public long getTimeouts() {
            return locks.stats().timedOut();
        }

        @Override
        public long getLost() {
            return locks.stats().lost();
        }

        @Override
        public Map<String, Long> getLostByReason() {
            Map<String, Long> lost = new TreeMap<>();
            for (Reason reason : Reason.values()) {
                lost.put(reason.name(), locks.lost(reason));
            }
            return lost;
        }

        @Override
        public long getTakeovers() {
            return locks.stats().reclaimed();
        }

        @Override
        public long getDroppedEvents() {
            return locks.stats().dropped();
        }

        @Override
        public double getLongestHoldSeconds() {
            return seconds(locks.longestHold());
        }

        @Override
        public double getLongestWaitSeconds() {
            return seconds(locks.longestWait());
        }

        private static double seconds(Duration duration) {
            return duration.toNanos() / 1e9;
        }
    }
}
