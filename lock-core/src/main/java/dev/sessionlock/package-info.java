/**
 * Locks for session files. If a holder crashes, hangs, freezes or leaks its handle, the lock becomes free again. Start at
 * {@link dev.sessionlock.SessionFile} for files of lines, and at {@link dev.sessionlock.SessionLocks} for everything else.
 *
 * <p>The locks are advisory: a program that does not ask for the lock is not stopped. {@code PROTOCOL.md} says how they work. In one
 * sentence: the kernel byte decides who holds, the shared table bounds how long, the token fences late writes, the {@code .lock} file
 * explains.
 */
@NullMarked
package dev.sessionlock;

import org.jspecify.annotations.NullMarked;
