/** Locks for many machines, in a table of PostgreSQL. */
@NullMarked
package dev.sessionlock.jdbc;

import org.jspecify.annotations.NullMarked;
