/**
 * The seats floor: which process may hold a lock, decided by kernel bytes, the table entry and records (PROTOCOL.md, sections 3 to 5). It implements
 * {@link dev.sessionlock.spi.EngineLock}, as other engines do. Below it is the directory floor, used through {@code LockStore} alone. It starts no
 * threads and takes no locks of the JVM.
 */
@NullMarked
package dev.sessionlock.internal.seats;

import org.jspecify.annotations.NullMarked;
