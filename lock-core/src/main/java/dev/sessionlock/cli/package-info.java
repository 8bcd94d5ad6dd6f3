/**
 * The operator's tool, {@code java -jar sessionlock.jar}. It uses the public API, as any program does, and in addition the few internal classes
 * that answer an operator's questions: which processes wait, which process lives, what text is safe to print.
 */
@NullMarked
package dev.sessionlock.cli;

import org.jspecify.annotations.NullMarked;
