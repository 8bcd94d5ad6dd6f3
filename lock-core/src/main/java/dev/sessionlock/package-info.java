/**
 * Session-file locks that a crashed, hung, frozen or leaking holder can never leave stuck. Start at
 * {@link dev.sessionlock.SessionLocks}.
 *
 * <p>The locks are advisory: who does not ask is not stopped. How they work is told in {@code PROTOCOL.md}; in one sentence: the
 * kernel byte decides, the board bounds, the token fences, the {@code .lock} file explains.
 */
package dev.sessionlock;
