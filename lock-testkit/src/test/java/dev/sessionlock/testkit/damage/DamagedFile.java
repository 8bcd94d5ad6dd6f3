package dev.sessionlock.testkit.damage;

import dev.sessionlock.testkit.TableFileAccess;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The part of a lock that is damaged: a file of {@code .session-locks}, that folder itself, or the record. */
enum DamagedFile {
    TABLE, FURTHER_TABLE, GUARD_OF_THE_LOCK, FIRST_GUARD, RECORD_FILE_IN_USE, SPARE_RECORD_FILES, TAKEOVER, FURTHER_LINK, REQUEST, RECORD, FOLDER;

    private static final String FOLDER_NAME = ".session-locks";

    /** {@return whether it usually does not exist, so that somebody must have put it there} */
    boolean isPlanted() {
        return this == TAKEOVER || this == FURTHER_LINK || this == REQUEST;
    }

    /** {@return whether a damage has any effect on it} */
    boolean suffers(Damage damage) {
        boolean hasContent = this != GUARD_OF_THE_LOCK && this != FIRST_GUARD;
        return switch (damage) {
            case CUT_TO_NOTHING -> hasContent && this != FOLDER;
            case CUT_IN_THE_MIDDLE -> hasContent && !isPlanted() && this != FOLDER;
            case ZEROED, FILLED -> this != FOLDER;
            case REPLACED_BY_OLDER -> !isPlanted();
            // Table and records at once are a known limit (PROTOCOL.md, section 1).
            case OVERWRITTEN_BY_OLDER -> hasContent && !isPlanted() && this != FOLDER;
            case DELETED -> !isPlanted();
            default -> true;
        };
    }

    /** {@return where it is, or would be, now} */
    List<Path> in(Path session) throws IOException {
        Path folder = session.resolveSibling(FOLDER_NAME);
        long h = TableFileAccess.hash(session);
        return switch (this) {
            case TABLE -> List.of(folder.resolve("board"));
            case FURTHER_TABLE -> List.of(folder.resolve("board-1"));
            case GUARD_OF_THE_LOCK -> List.of(folder.resolve(String.format("guard-%02x", h & 63)));
            case FIRST_GUARD -> List.of(folder.resolve("guard-00"));
            case RECORD_FILE_IN_USE -> recordFiles(folder, true);
            case SPARE_RECORD_FILES -> recordFiles(folder, false);
            case TAKEOVER -> List.of(folder.resolve("takeover-" + session.getFileName()));
            case FURTHER_LINK -> recordFiles(folder, true).stream().map(file -> file.resolveSibling(file.getFileName() + ".link")).toList();
            case REQUEST -> List.of(folder.resolve("release-1"));
            case RECORD -> List.of(record(session));
            case FOLDER -> List.of(folder);
        };
    }

    static Path record(Path session) {
        return session.resolveSibling(session.getFileName() + ".lock");
    }

    private static List<Path> recordFiles(Path folder, boolean inUse) throws IOException {
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> all = Files.newDirectoryStream(folder, "claim-*")) {
            for (Path each : all) {
                if ((int) Files.getAttribute(each, "unix:nlink") > 1 == inUse) {
                    found.add(each);
                }
            }
        }
        return found;
    }

    /**
     * {@return names of other locks that fill the window of this one's entry in the first file of the table, so that the table gets a further file;
     * none if that file is not the one that is damaged}
     */
    List<Path> crowd(Path session) {
        List<Path> crowd = new ArrayList<>();
        for (int i = 0; this == FURTHER_TABLE && crowd.size() < 16; i++) {
            Path other = session.resolveSibling("crowd-" + i);
            if (TableFileAccess.slot(TableFileAccess.hash(other), 0) == TableFileAccess.slot(TableFileAccess.hash(session), 0)) {
                crowd.add(other);
            }
        }
        return crowd;
    }
}
