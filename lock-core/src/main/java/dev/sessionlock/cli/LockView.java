package dev.sessionlock.cli;

import java.io.IOException;

/** What {@code watch} looks at, again and again. */
interface LockView {
    /**
     * Looks once.
     *
     * @throws IOException if it cannot be looked at any more
     */
    ViewSnapshot look() throws IOException;
}
