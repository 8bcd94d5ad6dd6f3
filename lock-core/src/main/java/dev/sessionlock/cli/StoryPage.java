package dev.sessionlock.cli;

import dev.sessionlock.LockReport.RemedyKind;
import dev.sessionlock.PastHold;
import dev.sessionlock.internal.system.Printable;
import dev.sessionlock.internal.system.WallClock;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A {@link Story} as a page of HTML that needs nothing else: no script, no network. It is readable in light and dark, and on paper. */
final class StoryPage {
    /** How each page begins, so that a page is known to be one. */
    static final String BEGINNING = "<!DOCTYPE html>\n<!-- sessionlock why: incident report -->\n";
    private static final String STYLE = """
            :root { color-scheme: light dark; --ink: #1d2430; --paper: #ffffff; --faint: #667085; --line: #d5dae1; --box: #f4f6f8;
              --released: #7a9cc6; --bad: #d1432f; --now: #2f855a; --wait: #d69e2e; }
            @media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --paper: #14181f; --faint: #98a2b3; --line: #39424f; --box: #1e242d;
              --released: #5b7fae; --bad: #f0705c; --now: #48bb78; --wait: #ecc94b; } }
            body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
            h1 { font-size: 1.3rem; overflow-wrap: anywhere; } h2 { font-size: 1.05rem; margin-top: 2rem; }
            .why { border-left: .3rem solid var(--bad); padding: .6rem 1rem; background: var(--box); overflow-wrap: anywhere; } .well { border-color: var(--now); }
            pre { background: var(--box); padding: .6rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }
            li { overflow-wrap: anywhere; } .faint { color: var(--faint); } .wide { overflow-x: auto; }
            svg { width: 100%; min-width: 40rem; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: var(--ink); } svg .faint { fill: var(--faint); }
            svg line { stroke: var(--line); } .released { fill: var(--released); } .bad { fill: var(--bad); } .now { fill: var(--now); } .wait { fill: var(--wait); }
            """;

    private final Story story;
    private final StorySentences words;

    StoryPage(Story story) {
        this.story = story;
        this.words = new StorySentences(story);
    }

    String page() {
        ReportView view = story.view();
        StringBuilder page = new StringBuilder(BEGINNING).append("<html lang=\"en\"><head><meta charset=\"utf-8\">\n")
                .append("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n")
                .append("<meta name=\"viewport\" content=\"width=device-width\">\n<title>").append(escaped(view.report().name())).append(": ").append(view.verdict())
                .append("</title>\n<style>\n").append(STYLE).append("</style></head><body>\n");
        page.append("<h1>").append(escaped(view.named())).append(": ").append(view.verdict()).append("</h1>\n");
        page.append("<p class=\"faint\">Seen at ").append(WallClock.dayAndTime(view.at())).append(" (").append(WallClock.iso(view.at())).append(")</p>\n");
        box(page, story.cause() != Cause.NONE, null, words.why());
        if (words.before() != null) {
            box(page, true, "Before", words.before());
        }
        page.append("<h2>What to do</h2>\n<pre>").append(escaped(words.next().step())).append("</pre>\n");
        if (words.next().kind() != RemedyKind.NONE && !words.next().remark().isEmpty()) {
            page.append("<p>").append(escaped(words.next().remark())).append("</p>\n");
        }
        page.append("<h2>Holds and waits</h2>\n").append(new Timeline(story).svg());
        List<String> owner = new ArrayList<>();
        if (view.report().owner() != null) {
            view.owner(owner, view.report().owner());
        }
        section(page, "Who has it, or left it", owner.stream().map(String::strip).toList(), true);
        section(page, "Why it is judged so", view.report().evidence(), false);
        section(page, "Stack of the thread", words.stack(), true);
        section(page, "Who waits", words.waiters(), false);
        section(page, "Who waits for whom", words.chain(), false);
        section(page, "What is unusual", words.unusual(), false);
        page.append("<h2>History</h2>\n");
        if (story.past().isEmpty()) {
            page.append("<p>").append(escaped(StorySentences.noHistory(view.report().lockFile() == null))).append("</p>\n");
        } else {
            page.append("<p>").append(words.historyTitle()).append("</p>\n");
            List<PastHold> shown = new ArrayList<>(story.last());
            if (!story.showsTrouble()) {
                shown.add(story.before().hold());
            }
            pre(page, HoldRows.table(shown, view.at(), false));
        }
        return page.append("<p class=\"faint\">Made by sessionlock why.</p>\n</body></html>\n").toString();
    }

    private static void box(StringBuilder page, boolean bad, @Nullable String title, String text) {
        page.append("<p class=\"why").append(bad ? "" : " well").append("\">").append(title == null ? "" : "<b>" + title + ":</b> ").append(escaped(text)).append("</p>\n");
    }

    private static void section(StringBuilder page, String title, List<String> lines, boolean verbatim) {
        if (lines.isEmpty()) {
            return;
        }
        page.append("<h2>").append(title).append("</h2>\n");
        if (verbatim) {
            pre(page, lines);
            return;
        }
        page.append("<ul>\n");
        lines.forEach(line -> page.append("<li>").append(escaped(line)).append("</li>\n"));
        page.append("</ul>\n");
    }

    private static void pre(StringBuilder page, List<String> lines) {
        page.append("<pre>").append(String.join("\n", lines.stream().map(StoryPage::escaped).toList())).append("</pre>\n");
    }

    /** {@return a text that is neither markup nor moves a cursor} */
    static String escaped(String text) {
        return Printable.text(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;").replace("'", "&#39;");
    }
}
