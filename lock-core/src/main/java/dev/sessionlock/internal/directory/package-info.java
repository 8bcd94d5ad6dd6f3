/**
 * The directory floor: what is on the disk and in the kernel for the locks of one directory - guard files and their kernel bytes, the shared table,
 * records and record files. It decides nothing: which process may hold a lock is the business of the seats above. Below it is the system floor; it
 * knows nothing else.
 */
@NullMarked
package dev.sessionlock.internal.directory;

import org.jspecify.annotations.NullMarked;
