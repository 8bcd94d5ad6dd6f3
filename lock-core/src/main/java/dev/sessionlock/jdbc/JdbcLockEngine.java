package dev.sessionlock.jdbc;

/** Locks in a table of a database. */
public final class JdbcLockEngine {
    private JdbcLockEngine() {
    }
}
