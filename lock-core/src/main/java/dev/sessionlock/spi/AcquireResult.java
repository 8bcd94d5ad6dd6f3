package dev.sessionlock.spi;

/** The result of one try to take a lock. */
public sealed interface AcquireResult permits Hold, Busy {
}
