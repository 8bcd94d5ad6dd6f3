/**
 * The threads floor: the threads of this JVM that want one lock, in a queue, and the keeper that looks after what they hold (PROTOCOL.md, section 6). Below it is the
 * seats floor, through {@code EngineLock} alone; of the disk it knows nothing but which directories are open.
 *
 * <p><b>Lock order.</b> A thread that holds one of these locks may take those below it, and none above:
 * <ol>
 *   <li>the <em>engine lock</em> of one {@code LocalLock}: held by whoever calls its {@code EngineLock}, so that taking, renewing,
 *       revoking and giving back exclude each other. No thread holds those of two locks. Workers of the keeper only try it, since a disk may not answer. The thread
 *       that moves a clock by hand waits for it ({@code LeaseSupervisor.maintainNow}): only engines for tests have such a clock;
 *   <li>the <em>state lock</em> of one {@code LocalLock}, a {@code MemoryLock}: guards its wait queue and its current grant. It is
 *       held for some steps in memory, and what is called under it of the engine is memory only. No thread holds those of two locks;
 *   <li>the locks of the keeper ({@code Keeper.starting}), of its workers ({@code Workers.lock}), of the event dispatcher ({@code EventDispatcher.mutex}), of the meters ({@code LockMeters}) and of
 *       the list of registries ({@code LocalLocks.BY_ENGINE_LOCK}): each is held for some steps in memory, or until a thread has started. No thread holds two
 *       of them.
 * </ol>
 * User code runs under none of them. Below all of them is what the engine has of its own, such as the lock of {@code OpenDirectories}. {@code @GuardedBy} names the lock that guards a field: {@code "LocalLock.stateLock"} is the state lock of the lock that
 * the object belongs to.
 */
@NullMarked
package dev.sessionlock.internal.threads;

import org.jspecify.annotations.NullMarked;
