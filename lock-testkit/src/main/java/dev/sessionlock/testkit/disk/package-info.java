/**
 * The file system under a {@link dev.sessionlock.testkit.CrashLab}: a default provider that counts, stops and fails the operations of
 * the JVM that runs in it, a journal of what they did, and the model of what a power cut leaves of that. Not exported.
 */
package dev.sessionlock.testkit.disk;
