/**
 * The seats floor: who may hold a lock, decided over kernel bytes, a line of the board and records (PROTOCOL.md, sections 3 to 5).
 * Its upper face is {@link dev.sessionlock.spi.EngineLock}, behind which other engines stand too. Below it
 * is the directory floor, through {@code LockStore} alone; it starts no threads and takes no locks of the JVM.
 */
package dev.sessionlock.internal.seats;
