package dev.sessionlock.benchmarks.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** The part of a README between two markers, which this class replaces. Everything else stays as it is, byte for byte. */
final class ReadmeSection {
    static final String BEGIN = "<!-- benchmarks:begin -->";
    static final String END = "<!-- benchmarks:end -->";

    private final Path readme;

    private ReadmeSection(Path readme) {
        this.readme = readme;
    }

    /**
     * Finds the section.
     *
     * @param readme an existing file
     * @return the section
     * @throws IOException if there is no such file, or it does not have each marker once, in this order; the message is for people
     */
    static ReadmeSection of(Path readme) throws IOException {
        ReadmeSection section = new ReadmeSection(readme);
        section.replaced("");
        return section;
    }

    /**
     * Writes the section, in one step: a README is never half written.
     *
     * @param content without the markers
     * @throws IOException as {@link #of}, or if the disk refuses
     */
    void write(String content) throws IOException {
        String text = replaced(content);
        Path fresh = Files.createTempFile(readme.toAbsolutePath().getParent(), readme.getFileName().toString(), ".new");
        try {
            Files.copy(readme, fresh, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.COPY_ATTRIBUTES); // its permissions
            Files.writeString(fresh, text);
            Files.move(fresh, readme, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(fresh);
        }
    }

    private String replaced(String content) throws IOException {
        String text;
        try {
            text = Files.readString(readme);
        } catch (NoSuchFileException e) {
            throw new IOException("there is no " + readme + "; run this in the repository, or name the file with --readme", e);
        }
        int begin = only(text, BEGIN) + BEGIN.length();
        int end = only(text, END);
        if (end < begin) {
            throw new IOException(readme + " has \"" + END + "\" before \"" + BEGIN + "\"");
        }
        return text.substring(0, begin) + "\n" + content.strip() + "\n" + text.substring(end);
    }

    private int only(String text, String marker) throws IOException {
        int at = text.indexOf(marker);
        if (at < 0 || text.indexOf(marker, at + 1) >= 0) {
            throw new IOException(readme + " must have the line \"" + marker + "\" once; it has it " + (at < 0 ? "nowhere" : "several times"));
        }
        return at;
    }
}
