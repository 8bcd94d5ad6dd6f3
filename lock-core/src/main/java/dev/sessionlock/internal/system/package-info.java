/**
 * The system floor: who this process is, whether another one lives, what time it is, what the kernel says it has locked. It knows nothing of locks on
 * session files.
 */
@NullMarked
package dev.sessionlock.internal.system;

import org.jspecify.annotations.NullMarked;
