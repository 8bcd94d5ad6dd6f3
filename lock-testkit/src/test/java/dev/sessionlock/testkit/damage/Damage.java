package dev.sessionlock.testkit.damage;

import static dev.sessionlock.testkit.Tools.shell;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;

/** What another program, or an operator by mistake, does to one file. */
public enum Damage {
    CUT_TO_NOTHING(false), CUT_IN_THE_MIDDLE(false), ZEROED(false), FILLED(false),
    /** An older copy is renamed to its name, as rsync does. */
    REPLACED_BY_OLDER(false),
    /** An older copy is written over it in place, as {@code cp} does. */
    OVERWRITTEN_BY_OLDER(false),
    DELETED(false),
    /** The directory is not empty, so that it cannot be removed like a file. */
    REPLACED_BY_DIRECTORY(true),
    /** The link leads to a file elsewhere, which nobody may touch. */
    REPLACED_BY_LINK(true),
    /** Opening one may block for ever. */
    REPLACED_BY_FIFO(true),
    /** Root reads and writes it nevertheless. */
    FORBIDDEN(true);

    /** The size for a file that was empty or absent. */
    private static final int USUAL_SIZE = 1024;

    private final boolean obstacle;

    Damage(boolean obstacle) {
        this.obstacle = obstacle;
    }

    /** {@return whether a person has to remove afterwards what lies there} */
    public boolean isObstacle() {
        return obstacle;
    }

    /** Damages only the content: the file stays, and so do the pages that processes have mapped. */
    public void to(Path file) throws IOException {
        try (RandomAccessFile open = new RandomAccessFile(file.toFile(), "rw")) {
            byte[] filling = new byte[open.length() == 0 ? USUAL_SIZE : (int) open.length()];
            Arrays.fill(filling, (byte) (this == FILLED ? 0xff : 0));
            switch (this) {
                case CUT_TO_NOTHING -> open.setLength(0);
                case CUT_IN_THE_MIDDLE -> open.setLength(open.length() / 2);
                case ZEROED, FILLED -> open.write(filling);
                default -> throw new IllegalArgumentException(this + " takes more than the file");
            }
        }
    }

    /** A record that was released meanwhile stays away: a new file of this content would be another program's, which nobody may touch. */
    private static void fillExisting(Path file) throws IOException {
        byte[] filling = new byte[USUAL_SIZE];
        Arrays.fill(filling, (byte) 0xff);
        try {
            Files.write(file, filling, StandardOpenOption.WRITE);
        } catch (NoSuchFileException e) {
            // there is nothing to damage
        }
    }

    /**
     * Damages a file, or puts something at its name.
     *
     * @param older an older copy of it; a missing one counts as an empty file
     * @param elsewhere the target of a link
     */
    void to(Path file, Path older, Path elsewhere) throws IOException, InterruptedException {
        if (this == FILLED && file.toString().endsWith(".lock")) {
            fillExisting(file);
            return;
        }
        if (Files.isDirectory(file, LinkOption.NOFOLLOW_LINKS)) {
            toDirectory(file, older, elsewhere);
            return;
        }
        switch (this) {
            case CUT_TO_NOTHING, CUT_IN_THE_MIDDLE, ZEROED, FILLED -> to(file);
            case REPLACED_BY_OLDER -> {
                Path fresh = file.resolveSibling("restored-" + file.getFileName());
                shell("cp -p '" + existing(older) + "' '" + fresh + "'");
                Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
            }
            case OVERWRITTEN_BY_OLDER -> shell("cat '" + existing(older) + "' > '" + file + "'");
            case DELETED -> Files.deleteIfExists(file);
            case FORBIDDEN -> shell("touch '" + file + "'; chown --reference='" + file.getParent() + "' '" + file + "'; chmod 000 '" + file + "'");
            default -> {
                Files.deleteIfExists(file);
                plant(file, elsewhere);
            }
        }
    }

    private void toDirectory(Path directory, Path older, Path elsewhere) throws IOException, InterruptedException {
        Path aside = directory.resolveSibling("aside-" + System.nanoTime());
        switch (this) {
            case DELETED -> shell("rm -rf '" + directory + "' || rm -rf '" + directory + "'");
            case REPLACED_BY_OLDER -> shell("cp -a '" + older + "' '" + aside + "-older'; mv '" + directory + "' '" + aside + "'; mv '" + aside
                    + "-older' '" + directory + "'");
            case OVERWRITTEN_BY_OLDER -> shell("cp -a '" + older + "'/. '" + directory + "'/");
            case FORBIDDEN -> shell("chmod 000 '" + directory + "'");
            case REPLACED_BY_LINK, REPLACED_BY_FIFO -> {
                Files.move(directory, aside);
                plant(directory, elsewhere);
            }
            default -> { // a file
                Files.move(directory, aside);
                shell("echo 'not a directory' > '" + directory + "'");
            }
        }
    }

    private void plant(Path path, Path elsewhere) throws IOException, InterruptedException {
        switch (this) {
            case REPLACED_BY_DIRECTORY -> shell("mkdir '" + path + "' && touch '" + path + "/something'");
            case REPLACED_BY_LINK -> Files.createSymbolicLink(path, elsewhere);
            default -> shell("mkfifo '" + path + "'");
        }
    }

    /** What a person does who follows the advice: removes what is no ordinary file, or restores the rights. */
    void undo(Path file) throws IOException, InterruptedException {
        if (this == FORBIDDEN) {
            shell("[ ! -e '" + file + "' ] || chmod u+rwX '" + file + "'");
        } else {
            shell("rm -rf '" + file + "'");
        }
    }

    private static Path existing(Path older) throws IOException {
        if (!Files.exists(older)) {
            Files.createFile(older);
        }
        return older;
    }
}
