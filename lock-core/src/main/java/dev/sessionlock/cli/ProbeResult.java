package dev.sessionlock.cli;

/**
 * What one probe of the doctor found.
 *
 * @param name short, fixed, for programs
 * @param verdict the verdict
 * @param detail the facts, in words
 * @param remedy what a person can do; empty if there is nothing to do
 */
record ProbeResult(String name, ProbeVerdict verdict, String detail, String remedy) {
    /** The verdict of a probe. */
    enum ProbeVerdict {
        OK("ok", "green"),
        NOT_OK("NOT OK", "bold,red"),
        UNKNOWN("unknown", "yellow");

        final String word;
        final String style;

        ProbeVerdict(String word, String style) {
            this.word = word;
            this.style = style;
        }
    }

    static ProbeResult ok(String name, String detail) {
        return new ProbeResult(name, ProbeVerdict.OK, detail, "");
    }

    static ProbeResult notOk(String name, String detail, String remedy) {
        return new ProbeResult(name, ProbeVerdict.NOT_OK, detail, remedy);
    }

    static ProbeResult unknown(String name, String detail, String remedy) {
        return new ProbeResult(name, ProbeVerdict.UNKNOWN, detail, remedy);
    }

    boolean is(ProbeVerdict other) {
        return verdict == other;
    }
}
