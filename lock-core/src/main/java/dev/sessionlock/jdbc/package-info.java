/** Locks for many machines, in a table of PostgreSQL. */
package dev.sessionlock.jdbc;
