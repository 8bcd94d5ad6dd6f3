package dev.sessionlock.spi;

/** What a try to take a lock has come to. */
public sealed interface Taken permits Hold, Busy {
}
