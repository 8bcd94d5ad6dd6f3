package dev.sessionlock.testkit;

import dev.sessionlock.testkit.disk.Plan;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** All that one {@link CrashCampaign} has found wrong, and how its failure tells it: a few findings in full, the others in short. */
final class CrashFindings {
    private static final int FOUND_IN_FULL = 3;
    private static final int FOUND_IN_SHORT = 20;

    private final CrashWorkshop workshop;
    private final Plan.Kind kind;
    private final List<CrashFinding> findings = new ArrayList<>();

    CrashFindings(CrashWorkshop workshop, Plan.Kind kind) {
        this.workshop = workshop;
        this.kind = kind;
    }

    int size() {
        return findings.size();
    }

    boolean isEmpty() {
        return findings.isEmpty();
    }

    /** Adds what the lab itself has found. */
    void add(CrashOutcome outcome, Plan plan, String event, Path directory, String why) throws IOException {
        add(outcome, plan, event, directory, why, null, CrashFinding.listing(directory));
    }

    /** Adds what the user's check has thrown. */
    void add(CrashOutcome outcome, Plan plan, String event, Path directory, Throwable thrown, String listing) {
        add(outcome, plan, event, directory, text(thrown), thrown, listing);
    }

    private void add(CrashOutcome outcome, Plan plan, String event, Path directory, String why, @Nullable Throwable cause, String listing) {
        StringBuilder more = new StringBuilder();
        boolean told = outcome.meanwhile() != null; // as it should
        if (!outcome.acknowledged().isEmpty() && !told) {
            more.append("acknowledged: ").append(String.join(", ", outcome.acknowledged())).append('\n');
        }
        if (outcome.thrown() != null && !told) {
            more.append("the scenario ended with: ").append(outcome.thrown()).append('\n');
        } else if (kind == Plan.Kind.FAIL && outcome.end() == CrashOutcome.End.RETURNED) {
            more.append("the scenario returned as if all were well\n");
        }
        if (!outcome.output().isBlank()) {
            more.append("it printed:\n").append(outcome.output().indent(2));
        }
        if (told && !outcome.meanwhile().output().isBlank()) {
            more.append("the other printed:\n").append(outcome.meanwhile().output().indent(2));
        }
        workshop.keep();
        findings.add(new CrashFinding(plan, event, outcome.stack(), course(outcome), listing, directory, why, cause, more.toString()));
    }

    private static String text(Throwable e) {
        if (e instanceof AssertionError) {
            return String.valueOf(e.getMessage()).strip();
        }
        StringWriter text = new StringWriter();
        e.printStackTrace(new PrintWriter(text, true));
        return text.toString();
    }

    private static String course(CrashOutcome outcome) {
        CrashOutcome.Meanwhile meanwhile = outcome.meanwhile();
        if (meanwhile == null) {
            return "";
        }
        String others = meanwhile.thrown() != null ? "it failed: " + meanwhile.thrown() : meanwhile.end() == CrashOutcome.End.HUNG ? "it hung"
                : "it ran to its end";
        String acknowledged = meanwhile.acknowledged().isEmpty() ? ", and acknowledged nothing"
                : ", and acknowledged: " + String.join(", ", meanwhile.acknowledged());
        String own = outcome.thrown() != null ? "ended with: " + outcome.thrown() : outcome.end() == CrashOutcome.End.HUNG ? "hung"
                : "returned as if all were well";
        String after = outcome.acknowledged().isEmpty() ? "; all in all it acknowledged nothing"
                : "; all in all it acknowledged: " + String.join(", ", outcome.acknowledged());
        return (meanwhile.waited() ? "the other process waited for it; once the frozen one was woken, " : "meanwhile the other process worked: ")
                + others + acknowledged + "\nwoken after " + meanwhile.frozenMillis() + " ms, it " + own + after + "\n";
    }

    /**
     * Shows the first few steps with a finding each in full; of the others a line each, or their number. Keeps only the directories of the former.
     */
    AssertionError failure(String line, List<Plan> plans) {
        findings.sort(Comparator.<CrashFinding>comparingInt(finding -> finding.plan().step())
                .thenComparingInt(finding -> plans.indexOf(finding.plan())));
        List<CrashFinding> full = new ArrayList<>();
        List<CrashFinding> rest = new ArrayList<>();
        for (CrashFinding finding : findings) {
            boolean another = full.isEmpty() || full.get(full.size() - 1).plan().step() != finding.plan().step();
            (another && full.size() < FOUND_IN_FULL ? full : rest).add(finding);
        }
        List<Path> kept = full.stream().map(CrashFinding::directory).toList();
        rest.stream().map(CrashFinding::directory).filter(directory -> !kept.contains(directory)).forEach(CrashWorkshop::remove);
        StringBuilder text = new StringBuilder(line).append(System.lineSeparator());
        full.forEach(finding -> text.append(System.lineSeparator()).append(finding.text()));
        if (!rest.isEmpty()) {
            text.append(System.lineSeparator()).append("and in short:").append(System.lineSeparator()).append(inShort(rest));
        }
        AssertionError error = new AssertionError(text.toString(), full.get(0).cause());
        full.stream().skip(1).map(CrashFinding::cause).filter(Objects::nonNull).forEach(error::addSuppressed);
        return error;
    }

    /** One line for each step, and how many more there are. */
    private static String inShort(List<CrashFinding> rest) {
        Map<Integer, List<CrashFinding>> bySteps = rest.stream()
                .collect(Collectors.groupingBy(finding -> finding.plan().step(), LinkedHashMap::new, Collectors.toList()));
        StringBuilder text = new StringBuilder();
        bySteps.values().stream().limit(FOUND_IN_SHORT).forEach(ofStep -> {
            text.append(ofStep.get(0).line());
            if (ofStep.size() > 1) {
                text.append("  and ").append(ofStep.size() - 1).append(" more at this step").append(System.lineSeparator());
            }
        });
        if (bySteps.size() > FOUND_IN_SHORT) {
            text.append("and at ").append(bySteps.size() - FOUND_IN_SHORT).append(" more steps").append(System.lineSeparator());
        }
        return text.toString();
    }
}
