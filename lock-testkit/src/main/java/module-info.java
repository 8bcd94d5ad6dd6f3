/**
 * Tools for tests of locks and of session writers: locks without a disk, the lock files that crashes leave behind, child JVMs that a test kills,
 * freezes and wakes, a neutral witness that tells whether two of them ever held one lock at once, and the contract of all engines.
 */
module dev.sessionlock.testkit {
    requires transitive dev.sessionlock;
    requires java.management;
    requires static org.jspecify;
    requires static org.junit.jupiter.api;

    exports dev.sessionlock.testkit;
}
