/**
 * The file system of a {@link dev.sessionlock.testkit.CrashLab}: a default provider that counts, stops and fails the operations of its JVM; a journal
 * of what they did; and the model of what a power cut leaves of that. Not exported.
 */
@NullMarked
package dev.sessionlock.testkit.disk;

import org.jspecify.annotations.NullMarked;
