/**
 * Meters for Micrometer. Only this package needs {@code io.micrometer:micrometer-core}, which is an optional dependency: add it yourself. Nothing else of the
 * library refers to these classes, so a program that does not name them needs no Micrometer.
 */
@NullMarked
package dev.sessionlock.metrics;

import org.jspecify.annotations.NullMarked;
