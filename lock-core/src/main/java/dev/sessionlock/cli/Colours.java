package dev.sessionlock.cli;

import java.io.File;
import picocli.CommandLine.Help.Ansi;

/** Words in colour, as picocli makes them. */
final class Colours {

    private Colours() {
    }

    /**
     * {@return whether colours are wanted, as picocli judges} The class of picocli is loaded only if the answer could be yes: loading takes a tenth
     * of the time of a short answer.
     */
    static boolean areWanted() {
        boolean could = System.console() != null || System.getenv("CLICOLOR_FORCE") != null || System.getProperty("picocli.ansi") != null
                || File.separatorChar == '\\'; // Java does not recognize a terminal of Cygwin
        return could && Ansi.AUTO.enabled();
    }

    /** {@return a text in a style such as {@code bold,red}} */
    static String styled(String style, String text) {
        return Ansi.ON.string("@|" + style + " " + text + "|@");
    }
}
