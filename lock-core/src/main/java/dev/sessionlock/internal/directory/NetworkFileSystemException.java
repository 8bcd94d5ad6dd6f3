package dev.sessionlock.internal.directory;

import java.io.IOException;
import java.nio.file.Path;

/** The directory is on a file system whose locks or mapped pages are not shared by all who use it. */
public final class NetworkFileSystemException extends IOException {
    private static final long serialVersionUID = 1L;

    NetworkFileSystemException(Path directory, String type) {
        super(directory + " is on a network file system (" + type + "), where file locks are not safe: two holders could meet. "
                + "Keep the sessions on a local disk; many machines need an engine of another kind, such as a database's. "
                + "SessionLocks.builder().allowNetworkFileSystem() locks here as well as it can, without takeover");
    }
}
