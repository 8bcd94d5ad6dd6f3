package dev.sessionlock;

import dev.sessionlock.internal.system.HolderProcesses;
import java.time.Duration;
import java.time.Instant;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** A {@link PastHold} as one line between two JVMs of a test. */
final class HistoryText {
    private HistoryText() {
    }

    static String of(PastHold hold) {
        return String.join("\t", hold.name(), "" + hold.token(), "" + hold.pid(), hold.host(), hold.thread(), hold.purpose(), "" + hold.since(), "" + hold.until(),
                "" + hold.ending(), "" + hold.count(), "" + hold.longest(), "" + hold.waited(), "" + hold.longestWaitBehind(),
                "" + HolderProcesses.text(hold.process()));
    }

    static PastHold read(String line) {
        String[] part = line.split("\t");
        return new PastHold(part[0], or(part[1], Long::valueOf), Long.parseLong(part[2]), or(part[3], it -> it), or(part[4], it -> it), or(part[5], it -> it),
                or(part[6], Instant::parse), Instant.parse(part[7]), PastHold.Ending.valueOf(part[8]), Long.parseLong(part[9]), or(part[10], Duration::parse),
                or(part[11], Duration::parse), or(part[12], Duration::parse), or(part[13], HolderProcesses::parse));
    }

    private static <T> @Nullable T or(String text, Function<String, T> parse) {
        return text.equals("null") ? null : parse.apply(text);
    }
}
