package dev.sessionlock.spi;

/** What a try to take a lock has come to. */
public sealed interface AcquireResult permits Hold, Busy {
}
