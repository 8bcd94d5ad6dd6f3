/**
 * The operator's tool, {@code java -jar sessionlock.jar}. It stands on the public API, as any program does; of the floors below it
 * asks only whether a process lives.
 */
package dev.sessionlock.cli;
