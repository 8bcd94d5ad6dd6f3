/**
 * The threads floor: the threads of this JVM that want one lock, in a queue, and the keeper that looks after what they hold
 * (PROTOCOL.md, section 6). Below it is the seats floor, through {@code EngineLock} alone; of the disk it knows nothing but
 * which directories are open.
 */
package dev.sessionlock.internal.threads;
