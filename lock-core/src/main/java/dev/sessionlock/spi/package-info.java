/**
 * What an engine is: whatever can exclude other processes and tell who holds a lock. {@link dev.sessionlock.spi.LockEngine} is where
 * locks come from, {@link dev.sessionlock.spi.EngineLock} is one of them: take, renew, release, look. All that users see, the queue of
 * the threads of a JVM, reentry, {@code maxHold}, losses, listeners and counters, is built above it and is the same for all engines.
 *
 * <p>Two engines are ours: locks on files of this machine, and {@link dev.sessionlock.jdbc.JdbcLockEngine}. What another one must do is
 * what {@code LockEngineContract} in lock-testkit tests.
 */
package dev.sessionlock.spi;
