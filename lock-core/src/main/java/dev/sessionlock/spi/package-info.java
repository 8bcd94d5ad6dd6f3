/**
 * The interfaces of an engine: whatever can exclude other processes and tell who holds a lock. {@link dev.sessionlock.spi.LockEngine} is a source of
 * locks. {@link dev.sessionlock.spi.EngineLock} is one lock: take, renew, release, inspect. Everything that users see is built above these interfaces
 * and is the same for all engines: the queue of a JVM's threads, reentry, {@code maxHold}, losses, listeners and counters.
 *
 * <p>The library brings two engines: locks on files of this machine, and {@link dev.sessionlock.jdbc.JdbcLockEngine}. The contract of a further
 * engine is tested by {@code LockEngineContract} in lock-testkit.
 */
@NullMarked
package dev.sessionlock.spi;

import org.jspecify.annotations.NullMarked;
