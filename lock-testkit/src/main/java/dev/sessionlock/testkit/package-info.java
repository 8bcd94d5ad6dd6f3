/**
 * What tests need of code that takes session locks, and of locks themselves. Without a disk: {@link dev.sessionlock.testkit.InMemoryLocks},
 * by the clock of {@link dev.sessionlock.testkit.TestClock}. On a disk: {@link dev.sessionlock.testkit.LockFiles} makes the locks that
 * crashes and other programs leave behind. Between processes: {@link dev.sessionlock.testkit.ChildJvm} starts a JVM that can be killed,
 * frozen and woken, {@link dev.sessionlock.testkit.MutualExclusionWitness} tells whether two of them ever held one lock at once, and
 * {@link dev.sessionlock.testkit.LockEngineContract} is what every engine must pass. At every step of code that writes files:
 * {@link dev.sessionlock.testkit.CrashLab} kills it, lets the step fail, cuts the power, or freezes it past its lease, and has checked what is
 * left. But for the
 * contract and {@link dev.sessionlock.testkit.CrashTest}, none depends on a test framework: what goes wrong is an {@link AssertionError}
 * with the child's output, or the history, in its message.
 */
package dev.sessionlock.testkit;
