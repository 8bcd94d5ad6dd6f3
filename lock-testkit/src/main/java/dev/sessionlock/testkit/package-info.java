/**
 * Tools for tests of code that uses session locks, and of locks themselves.
 * <ul>
 *   <li>Without a disk: {@link dev.sessionlock.testkit.InMemoryLocks}, with the clock of {@link dev.sessionlock.testkit.TestClock}.
 *   <li>On a disk: {@link dev.sessionlock.testkit.LockFiles} creates the lock files that crashes and other programs leave behind.
 *   <li>Between processes: {@link dev.sessionlock.testkit.ChildJvm} starts a JVM that a test can kill, freeze and wake.
 *       {@link dev.sessionlock.testkit.MutualExclusionWitness} tells whether two processes ever held one lock at once.
 *       {@link dev.sessionlock.testkit.LockEngineContract} is what every engine must pass.
 *   <li>At every step of code that writes files: {@link dev.sessionlock.testkit.CrashLab} kills it, lets the step fail, cuts the power, or
 *       freezes it past its lease, and has the directory checked that it leaves.
 * </ul>
 * Only the contract and {@link dev.sessionlock.testkit.CrashTest} depend on a test framework. The others report a failure by an
 * {@link AssertionError}, with the child's output, or the history, in its message.
 */
@NullMarked
package dev.sessionlock.testkit;

import org.jspecify.annotations.NullMarked;
