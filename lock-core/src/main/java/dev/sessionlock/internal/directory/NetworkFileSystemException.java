package dev.sessionlock.internal.directory;

import java.io.IOException;
import java.nio.file.Path;

/** The directory is on a file system whose locks or mapped pages are not shared by all who use it. */
public final class NetworkFileSystemException extends IOException {
    private static final long serialVersionUID = 1L;

    NetworkFileSystemException(Path directory, String type) {
        super(FileSystemTraits.isSharedWithHost(type) ? shared(directory, type) : network(directory, type));
    }

    private static String network(Path directory, String type) {
        return directory + " is on a network file system (" + type + "), where file locks are not safe: two holders could meet. "
                + "Keep the sessions on a local disk; many machines need an engine of another kind, such as a database's. "
                + "SessionLocks.builder().allowNetworkFileSystem() locks here as well as it can, without takeover";
    }

    private static String shared(Path directory, String type) {
        return directory + " is shared with the host of this virtual machine or container (" + type + "), where file locks are not safe: two holders could "
                + "meet, even two containers beside each other. Keep the sessions on a disk of the machine itself, with Docker in a named volume. If this "
                + "machine or container alone uses the directory, as where " + type + " is the root of a small virtual machine (Kata Containers), "
                + "SessionLocks.builder().allowNetworkFileSystem() locks here, without takeover";
    }
}
