package dev.sessionlock.testkit.disk;

import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The rules by which the lab's file system answers, beyond those of the system on which it runs.
 *
 * @param all the rules in force
 */
public record SystemRules(Set<SystemRule> all) {
    /** The system property by which a JVM of a lab is told its rules. */
    public static final String PROPERTY = "sessionlock.lab.rules";
    /** None: files are as they are. */
    public static final SystemRules NONE = new SystemRules(Set.of());

    public SystemRules {
        all = all.isEmpty() ? Set.of() : Collections.unmodifiableSet(EnumSet.copyOf(all));
    }

    /** {@return those of this JVM} */
    static SystemRules ofThisJvm() {
        return parse(System.getProperty(PROPERTY, ""));
    }

    static SystemRules parse(String text) {
        return text.isEmpty() ? NONE : new SystemRules(Arrays.stream(text.split(",")).map(SystemRule::valueOf).collect(Collectors.toSet()));
    }

    /** {@return the argument that tells a JVM these rules} */
    public String asArgument() {
        return "-D" + PROPERTY + "=" + all.stream().map(SystemRule::name).collect(Collectors.joining(","));
    }

    /** {@return these rules, and one more} */
    public SystemRules and(SystemRule rule) {
        EnumSet<SystemRule> more = EnumSet.of(rule);
        more.addAll(all);
        return new SystemRules(more);
    }

    boolean has(SystemRule rule) {
        return all.contains(rule);
    }

    boolean foldsNames() {
        return has(SystemRule.CASE_FOLDS) || has(SystemRule.FORMS_FOLD) || has(SystemRule.OTHER_SPELLINGS);
    }
}
