/**
 * The session lock. A user of it needs {@code slf4j-api} and nothing else. The operator's tool is compiled with it, but is in a jar of its own.
 */
module dev.sessionlock {
    requires org.slf4j;
    requires static org.jspecify;
    requires static com.google.errorprone.annotations;
    requires static java.sql;
    requires static jdk.jfr;
    requires static java.management;
    requires static micrometer.core;

    exports dev.sessionlock;
    exports dev.sessionlock.spi;
    exports dev.sessionlock.jdbc;
    exports dev.sessionlock.metrics;
    exports dev.sessionlock.internal.system to dev.sessionlock.testkit;
    exports dev.sessionlock.internal.directory to dev.sessionlock.testkit;
    exports dev.sessionlock.internal.seats to dev.sessionlock.testkit;
    exports dev.sessionlock.internal.threads to dev.sessionlock.testkit;
}
