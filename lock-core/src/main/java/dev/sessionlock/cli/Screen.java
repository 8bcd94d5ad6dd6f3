package dev.sessionlock.cli;

import dev.sessionlock.internal.system.Printable;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;

/** Draws a snapshot as a table that fits the terminal. */
final class Screen {
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("HH:mm:ss").withZone(ZoneId.systemDefault());
    private static final String[] HEADS = {"AGE", "STATE", "SESSION", "WHO", "PURPOSE", "WAITING"};
    private static final int SESSION = 2;
    /** If the terminal is too narrow, the purpose is cut first, then the holder, then the session. */
    private static final int[] GIVES_WAY = {4, 3, SESSION};
    private static final int[] LEAST = {0, 0, 12, 9, 0, 0};
    private static final int MARK = 3;
    private static final int GAP = 2;

    private static final String PERSON = "\u001b[1;31m";
    private static final String LONG = "\u001b[1;33m";
    private static final String HEAD = "\u001b[2m";
    private static final String PLAIN = "\u001b[0m";

    private final String directory;
    private final boolean colour;
    private final Encoding encoding;
    private final String cut;

    /**
     * @param directory what is watched
     * @param colour whether to colour the terminal; what stands out is marked in any case
     * @param encoding the terminal's
     */
    Screen(String directory, boolean colour, Encoding encoding) {
        this.directory = encoding.shown(Printable.text(directory));
        this.colour = colour;
        this.encoding = encoding;
        this.cut = encoding.has("…") ? "…" : "~";
    }

    /** The size of a terminal. */
    record Size(int columns, int lines) {
    }

    /** {@return the lines of one frame, no wider and no more than the terminal has} */
    List<String> lines(ViewSnapshot snapshot, Size size) {
        List<String> lines = new ArrayList<>();
        lines.add(headline(snapshot, size.columns()));
        snapshot.unnamed().forEach(what -> lines.add(fit("!! " + encoding.shown(Printable.text(what)), size.columns())));
        if (snapshot.rows().isEmpty()) {
            lines.add(fit("nothing is locked or waited for", size.columns()));
            return lines.subList(0, Math.min(lines.size(), Math.max(1, size.lines())));
        }
        int room = size.lines() - 1 - lines.size();
        int shown = snapshot.rows().size() <= room ? snapshot.rows().size() : Math.max(0, room - 1);
        List<LockRow> top = snapshot.rows().subList(0, shown);
        List<String[]> cells = new ArrayList<>();
        for (LockRow lockRow : top) {
            cells.add(new String[] {lockRow.age(), lockRow.stateInWords(), encoding.shown(lockRow.session()), encoding.shown(lockRow.who()),
                encoding.shown(lockRow.purpose()),
                lockRow.waitingInWords()});
        }
        int[] widths = widths(cells, size.columns());
        lines.add(styled(HEAD, row("", HEADS, widths, size.columns())));
        for (int i = 0; i < shown; i++) {
            lines.add(row(top.get(i), cells.get(i), widths, size.columns()));
        }
        if (shown < snapshot.rows().size()) {
            lines.add(fit("and " + (snapshot.rows().size() - shown) + " more", size.columns()));
        }
        return lines.subList(0, Math.min(lines.size(), Math.max(1, size.lines())));
    }

    private String headline(ViewSnapshot snapshot, int columns) {
        String time = TIME.format(snapshot.at());
        StringBuilder counts = new StringBuilder(snapshot.locked() + " locked");
        count(counts, snapshot.needPerson(), " need a person", " needs a person");
        count(counts, snapshot.longHeld(), " held long", " held long");
        count(counts, snapshot.waitedFor(), " waited for", " waited for");
        count(counts, snapshot.unreadable(), " directories not readable", " directory not readable");
        String left = fit(directory, Math.max(0, columns - counts.length() - time.length() - 2 * GAP), true);
        String line = left + " ".repeat(GAP) + counts;
        String end = " ".repeat(Math.max(GAP, columns - width(line) - time.length())) + time;
        return fit(line + end, columns);
    }

    private static void count(StringBuilder counts, long number, String several, String one) {
        if (number > 0) {
            counts.append(", ").append(number).append(number == 1 ? one : several);
        }
    }

    private static int[] widths(List<String[]> cells, int columns) {
        int[] widths = new int[HEADS.length];
        int sum = MARK - GAP;
        for (int column = 0; column < widths.length; column++) {
            boolean used = false;
            for (String[] row : cells) {
                widths[column] = Math.max(widths[column], width(row[column]));
                used |= !row[column].isEmpty();
            }
            widths[column] = used ? Math.max(widths[column], HEADS[column].length()) : 0; // an empty column has no head
            sum += widths[column] + (used ? GAP : 0);
        }
        for (int column : GIVES_WAY) {
            int excess = Math.min(Math.max(0, sum - columns), Math.max(0, widths[column] - LEAST[column]));
            widths[column] -= excess;
            sum -= excess;
        }
        return widths;
    }

    private String row(LockRow lockRow, String[] cells, int[] widths, int columns) {
        String mark = lockRow.needsPerson() ? "!!" : lockRow.isLong() || lockRow.isLongWaitedFor() ? "!" : "";
        String row = row(mark, cells, widths, columns);
        String style = lockRow.needsPerson() ? PERSON : lockRow.isLong() || lockRow.isLongWaitedFor() ? LONG : "";
        return style.isEmpty() ? row : styled(style, row);
    }

    private String row(String mark, String[] cells, int[] widths, int columns) {
        StringBuilder row = new StringBuilder(pad(mark, MARK));
        for (int column = 0; column < cells.length; column++) {
            if (widths[column] > 0) {
                String cell = fit(cells[column], widths[column], column == SESSION);
                row.append(column == 0 ? "" : " ".repeat(GAP)).append(pad(cell, widths[column]));
            }
        }
        return fit(row.toString().stripTrailing(), columns);
    }

    private String styled(String style, String text) {
        return colour ? style + text + PLAIN : text;
    }

    private static String pad(String text, int columns) {
        return text + " ".repeat(Math.max(0, columns - width(text)));
    }

    private String fit(String text, int columns) {
        return fit(text, columns, false);
    }

    /** Cuts a text. The end of a path says more than its beginning. */
    private String fit(String text, int columns, boolean keepEnd) {
        if (width(text) <= columns) {
            return text;
        } else if (columns <= 0) {
            return "";
        }
        int[] points = text.codePoints().toArray();
        int from = keepEnd ? points.length : 0;
        int used = 1;
        int step = keepEnd ? -1 : 1;
        for (int i = keepEnd ? from - 1 : 0; used + width(points[i]) <= columns; i += step) {
            used += width(points[i]);
            from += step;
        }
        return keepEnd ? cut + new String(points, from, points.length - from) : new String(points, 0, from) + cut;
    }

    private static int width(String text) {
        return text.codePoints().map(Screen::width).sum();
    }

    /** {@return how many columns a character takes on a terminal} Judged by the blocks of Unicode that are wide, which is close enough. */
    private static int width(int point) {
        int type = Character.getType(point);
        if (type == Character.NON_SPACING_MARK || type == Character.ENCLOSING_MARK || type == Character.FORMAT) {
            return 0;
        }
        boolean wide = point >= 0x1100 && point <= 0x115f || point >= 0x2e80 && point <= 0xa4cf || point >= 0xac00 && point <= 0xd7a3
                || point >= 0xf900 && point <= 0xfaff || point >= 0xfe30 && point <= 0xfe6f || point >= 0xff00 && point <= 0xff60
                || point >= 0xffe0 && point <= 0xffe6 || point >= 0x1f300 && point <= 0x1faff || point >= 0x20000 && point <= 0x3fffd;
        return wide ? 2 : 1;
    }
}
