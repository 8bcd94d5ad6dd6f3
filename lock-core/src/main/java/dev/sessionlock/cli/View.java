package dev.sessionlock.cli;

import java.io.IOException;

/** What {@code watch} looks at, again and again. */
interface View {
    /**
     * Looks once.
     *
     * @throws IOException if it cannot be looked at any more
     */
    Snapshot look() throws IOException;
}
