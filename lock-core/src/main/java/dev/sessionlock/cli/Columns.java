package dev.sessionlock.cli;

import java.util.List;

/** The columns of a table for a person. The last one is as wide as its texts. */
final class Columns {
    /** A text that is longer makes its own line longer, and no other: it may be another user's. */
    private static final int WIDEST = 100;

    private Columns() {
    }

    /** {@return the widths of all columns but the last} */
    static int[] widths(List<String[]> rows) {
        int[] widths = new int[rows.get(0).length - 1];
        for (String[] row : rows) {
            for (int column = 0; column < widths.length; column++) {
                widths[column] = Math.max(widths[column], Math.min(WIDEST, row[column].length()));
            }
        }
        return widths;
    }

    /** {@return a text that fills its column} */
    static String padded(String text, int width) {
        return text + " ".repeat(Math.max(0, width - text.length()));
    }
}
