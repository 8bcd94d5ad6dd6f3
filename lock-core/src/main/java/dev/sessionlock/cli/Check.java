package dev.sessionlock.cli;

/**
 * What one probe of the doctor found.
 *
 * @param name short, fixed, for programs
 * @param verdict the verdict
 * @param detail the facts, in words
 * @param remedy what a person can do; empty if there is nothing to do
 */
record Check(String name, Verdict verdict, String detail, String remedy) {
    /** The verdict of a probe. */
    enum Verdict {
        OK("ok", "green"),
        NOT_OK("NOT OK", "bold,red"),
        UNKNOWN("unknown", "yellow");

        final String word;
        final String style;

        Verdict(String word, String style) {
            this.word = word;
            this.style = style;
        }
    }

    static Check ok(String name, String detail) {
        return new Check(name, Verdict.OK, detail, "");
    }

    static Check notOk(String name, String detail, String remedy) {
        return new Check(name, Verdict.NOT_OK, detail, remedy);
    }

    static Check unknown(String name, String detail, String remedy) {
        return new Check(name, Verdict.UNKNOWN, detail, remedy);
    }

    boolean is(Verdict other) {
        return verdict == other;
    }
}
