package dev.sessionlock.cli;

import java.io.IOException;

/** What {@code watch} looks at repeatedly. */
interface LockView {
    /**
     * Looks once.
     *
     * @throws IOException if looking is no longer possible
     */
    ViewSnapshot look() throws IOException;
}
