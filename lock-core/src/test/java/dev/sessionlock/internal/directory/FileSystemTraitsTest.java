package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatIOException;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FileSystemTraitsTest {

    @ParameterizedTest
    @ValueSource(strings = {"nfs", "nfs4", "NFS", "cifs", "smb3", "smbfs", "afpfs", "webdav", "9p", "ceph", "lustre", "fuse.sshfs", "fuse.s3fs",
            "fuse", "fuse.glusterfs", "ocfs2", "gfs2"})
    void fileSystemsOfManyMachinesAreKnown(String type) {
        assertThat(FileSystemTraits.isNetwork(type)).isTrue();
    }

    /** On Docker Desktop's bind mounts (fakeowner) two containers both get an exclusive lock. */
    @ParameterizedTest
    @ValueSource(strings = {"fakeowner", "osxfs", "grpcfuse", "fuse.grpcfuse", "fuse.osxfs", "virtiofs", "VirtioFS", "vboxsf", "prl_fs", "vmhgfs", "drvfs", "AppleVirtIOFS"})
    void directoriesSharedWithTheHostAreRefusedAndSayWhatToDo(String type, @TempDir Path dir) {
        assertThat(FileSystemTraits.isNetwork(type)).isTrue();
        assertThatIOException().isThrownBy(() -> new FileSystemTraits(type, false).refuseNetwork(dir, false)).isInstanceOf(NetworkFileSystemException.class)
                .withMessageContaining("shared with the host of this virtual machine or container (" + type + ")")
                .withMessageContaining("named volume").withMessageContaining("alone uses the directory").withMessageContaining("allowNetworkFileSystem()");
        assertThatCode(() -> new FileSystemTraits(type, false).refuseNetwork(dir, true)).doesNotThrowAnyException();
    }

    @ParameterizedTest
    @ValueSource(strings = {"ext4", "ext2/ext3", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "apfs", "hfs", "f2fs", "fuseblk", "ramfs", "unknown",
            "bcachefs", "msdos", "vfat"})
    void localOnesAreNotTakenForThem(String type) {
        assertThat(FileSystemTraits.isNetwork(type)).isFalse();
    }

    @Test
    void aNetworkFileSystemIsRefusedUnlessAllowed(@TempDir Path dir) {
        FileSystemTraits nfs = new FileSystemTraits("nfs4", false);

        assertThatIOException().isThrownBy(() -> nfs.refuseNetwork(dir, false)).isInstanceOf(NetworkFileSystemException.class)
                .withMessageContaining("nfs4").withMessageContaining("on a network file system").withMessageContaining("allowNetworkFileSystem()");
        assertThatCode(() -> nfs.refuseNetwork(dir, true)).doesNotThrowAnyException();
        assertThatCode(() -> new FileSystemTraits(null, false).refuseNetwork(dir, false)).doesNotThrowAnyException();
    }

    @Test
    void aLocalDirectoryIsLocalAndAFolderOfCapitalsAloneDoesNotMakeItFold(@TempDir Path dir) throws IOException {
        Files.createDirectory(dir.resolve(".session-locks"));
        assertThat(FileSystemTraits.of(dir)).isEqualTo(new FileSystemTraits(null, System.getProperty("os.name").startsWith("Mac")));

        Files.createDirectory(dir.resolve(".SESSION-LOCKS")); // two folders, on a file system that is case-sensitive
        assertThat(FileSystemTraits.of(dir).foldsNames()).isFalse();
    }
}
