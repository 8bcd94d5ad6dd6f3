package dev.sessionlock;

import dev.sessionlock.internal.seats.LockNameRules;
import dev.sessionlock.spi.FileLockEngine;
import dev.sessionlock.spi.LockEngine;
import dev.sessionlock.spi.LockEngine.LockId;
import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Objects;
import java.util.StringJoiner;
import org.jspecify.annotations.Nullable;

/**
 * What is to be locked, and how its user named it.
 *
 * @param id which lock that is
 * @param shown what its user wrote, for messages
 * @param file the file that a path named; null if a name was given
 */
record LockTarget(LockId id, String shown, @Nullable Path file) {

    /** How users of an engine may name what they lock. */
    record Naming(LockEngine engine, @Nullable Path root, boolean networkAllowed) {

        /** {@return the engine, if it locks files; null if it locks names} */
        @Nullable FileLockEngine files() {
            return engine instanceof FileLockEngine files ? files : null;
        }

        LockTarget of(Path file) throws LockException {
            Objects.requireNonNull(file, "target");
            LockNameRules.requireNamed(file);
            try {
                FileLockEngine files = files();
                LockId id = files != null ? files.idOf(file, networkAllowed) : engine.idOfName(name(file));
                return new LockTarget(id, file.toString(), file);
            } catch (IOException e) {
                throw ErrorMessages.explain(e, "lock", file.toString(), file);
            }
        }

        /** If the engine locks files, a name is a path. */
        LockTarget of(String name) throws LockException {
            Objects.requireNonNull(name, "name");
            if (files() != null) {
                return of(path(name, "lock"));
            }
            try {
                return new LockTarget(engine.idOfName(name), name, null);
            } catch (IOException e) {
                throw ErrorMessages.explain(e, "lock", name, null);
            }
        }

        /** {@return the path that a name stands for, if the engine locks files} */
        static Path path(String name, String what) throws LockException {
            try {
                return Path.of(name);
            } catch (InvalidPathException e) {
                throw new LockException("cannot " + what + " " + name + ": no file can have that name ("
                        + e.getReason() + ")", e);
            }
        }

        /**
         * Uses the letters of the path alone. Links and directories of this machine must not matter: otherwise the same path would be another lock on
         * another machine.
         */
        String name(Path file) throws LockException {
            if (root == null) {
                throw new LockException("cannot lock " + file + ": these locks are not on files but in " + engine
                        + ". Lock a name, acquire(\"...\"), or say with builder().root(dir) below which directory a path is the same on every "
                        + "machine");
            }
            Path absolute = file.toAbsolutePath().normalize();
            LockNameRules.requireText(absolute, file);
            Path home = root.toAbsolutePath().normalize();
            if (!absolute.startsWith(home) || absolute.equals(home)) {
                throw new LockException("cannot lock " + file + ": it is not below the root " + home
                        + ", so it has no name that other machines know");
            }
            return joined(home.relativize(absolute));
        }

        /** {@return how the names of the files in a directory begin} */
        String prefix(Path directory) throws LockException {
            boolean isRoot = root != null && directory.toAbsolutePath().normalize().equals(root.toAbsolutePath().normalize());
            return isRoot ? "" : name(directory) + "/";
        }

        private static String joined(Path relative) {
            StringJoiner name = new StringJoiner("/");
            relative.forEach(part -> name.add(part.toString()));
            return name.toString();
        }
    }
}
