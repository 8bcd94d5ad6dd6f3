package dev.sessionlock.cli;

import dev.sessionlock.cli.ProbeResult.ProbeVerdict;
import dev.sessionlock.internal.system.Printable;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import picocli.CommandLine.Help.Ansi;

/**
 * What the doctor found in one directory.
 *
 * @param directory its real path
 * @param checks all checks, in the order in which they are shown
 */
record Diagnosis(Path directory, List<ProbeResult> checks) {
    /** The checks that prove exclusion: nothing is safe without an answer to each. The other checks may stay open. */
    private static final Set<String> PROOFS = Set.of(
            PairProbes.EXCLUSION, PairProbes.AFTER_KILL, PairProbes.MAPPED_PAGES, PairProbes.SESSION_LOCKS);
    private static final int LABEL = 18;
    private static final int VERDICT = 9;

    boolean safe() {
        return checks.stream().noneMatch(check -> check.is(ProbeVerdict.NOT_OK) || check.is(ProbeVerdict.UNKNOWN) && PROOFS.contains(check.name()))
                && checks.stream().map(ProbeResult::name).toList().containsAll(PROOFS);
    }

    /** {@return the verdict in one sentence} */
    String sentence() {
        if (safe()) {
            return "Locks are safe here: two JVMs kept each other out, and kill -9 let go.";
        }
        List<String> wrong = names(ProbeVerdict.NOT_OK);
        if (wrong.isEmpty()) {
            return "Locks are not known to be safe here: nothing is wrong, but " + and(names(ProbeVerdict.UNKNOWN).stream()
                    .filter(PROOFS::contains).toList()) + " could not be tried.";
        }
        return "Do not rely on locks here before this is put right: " + and(wrong) + ".";
    }

    private List<String> names(ProbeVerdict verdict) {
        return checks.stream().filter(check -> check.is(verdict)).map(ProbeResult::name).toList();
    }

    private static String and(List<String> words) {
        return words.size() < 2 ? String.join("", words)
                : words.stream().limit(words.size() - 1L).collect(Collectors.joining(", ")) + " and " + words.get(words.size() - 1);
    }

    /** {@return one line for each check, aligned, then the verdict} */
    String text(Ansi ansi) {
        List<String> lines = new ArrayList<>();
        String verdict = safe() ? styled(ansi, "bold,green", "safe") : styled(ansi, "bold,red", "NOT SAFE");
        lines.add(Printable.text(directory.toString()) + ": " + verdict);
        for (ProbeResult check : checks) {
            String word = check.verdict().word;
            lines.add("  " + padded(check.name(), LABEL) + styled(ansi, check.verdict().style, word) + " ".repeat(VERDICT - word.length())
                    + Printable.text(check.detail()));
            if (!check.remedy().isEmpty()) {
                lines.add("  " + padded("", LABEL) + padded("to do", VERDICT) + Printable.text(check.remedy()));
            }
        }
        lines.add(sentence());
        return String.join(System.lineSeparator(), lines);
    }

    private static String padded(String text, int width) {
        return text + " ".repeat(Math.max(1, width - text.length()));
    }

    private static String styled(Ansi ansi, String style, String word) {
        return ansi.string("@|" + style + " " + word + "|@");
    }

    /** {@return the document for programs} Its form is fixed. What could not be found out is null. */
    String json() {
        JsonWriter json = new JsonWriter().beginObject()
                .member("version", 1)
                .member("directory", directory)
                .member("safe", safe())
                .name("checks").beginArray();
        for (ProbeResult check : checks) {
            json.beginObject()
                    .member("name", check.name())
                    .member("ok", check.is(ProbeVerdict.UNKNOWN) ? null : check.is(ProbeVerdict.OK))
                    .member("detail", check.detail() + (check.remedy().isEmpty() ? "" : "; to do: " + check.remedy()))
                    .endObject();
        }
        return json.endArray().endObject().toString();
    }
}
