package dev.sessionlock.internal.directory;

import dev.sessionlock.PastHold;
import dev.sessionlock.PastHold.HolderProcess;
import dev.sessionlock.internal.system.HolderProcesses;
import dev.sessionlock.internal.system.PastHolds;
import java.time.Instant;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * An entry of the history as one {@link CheckedLine}:
 *
 * <pre>
 * {"v":1,"name":"…","token":…,"pid":…,"host":"…","thread":"…","purpose":"…","since":"…","until":"…",
 *  "ending":"RELEASED","count":…,"longestUs":…,"waitedUs":…,"waitBehindUs":…,
 *  "starttime":…,"started":"…","boot":"…","pidns":"…","timens":"…","crc":"8 hex digits"}
 * </pre>
 *
 * Members that are not known are left out. An ending that a reader does not know is {@link PastHold.Ending#UNKNOWN} to it.
 */
final class HistoryCodec {
    private static final long VERSION = 1;
    private static final int LONGEST_NAME = 1024;
    private static final int LONGEST_TEXT = 256;
    private static final int LONGEST_ID = 40;

    private HistoryCodec() {
    }

    static byte[] encode(PastHold hold) {
        CheckedLine line = new CheckedLine().number("v", VERSION).text("name", hold.name(), LONGEST_NAME).number("token", hold.token()).number("pid", hold.pid())
                .text("host", hold.host(), LONGEST_TEXT).text("thread", hold.thread(), LONGEST_TEXT).text("purpose", hold.purpose(), LONGEST_TEXT)
                .time("since", hold.since()).time("until", hold.until()).text("ending", hold.ending().name(), LONGEST_TEXT).number("count", hold.count())
                .micros("longestUs", hold.longest()).micros("waitedUs", hold.waited()).micros("waitBehindUs", hold.longestWaitBehind());
        HolderProcess process = hold.process();
        return process == null ? line.bytes() : line.number("starttime", process.startTicks()).time("started", process.started()).text("boot", process.boot(), LONGEST_ID)
                .text("pidns", process.pidNamespace(), LONGEST_ID).text("timens", process.timeNamespace(), LONGEST_ID).bytes();
    }

    /** {@return the entry; null if the line is no whole entry} */
    static @Nullable PastHold decode(byte[] line) {
        Map<String, Object> members = CheckedLine.members(line);
        if (members == null) {
            return null;
        }
        String name = CheckedLine.text(members, "name", LONGEST_NAME);
        Long pid = CheckedLine.number(members, "pid");
        Instant until = CheckedLine.time(members, "until");
        Long count = CheckedLine.number(members, "count");
        if (name == null || pid == null || until == null || count == null || count < 1) {
            return null;
        }
        return new PastHold(name, CheckedLine.number(members, "token"), pid, CheckedLine.text(members, "host", LONGEST_TEXT), CheckedLine.text(members, "thread", LONGEST_TEXT),
                CheckedLine.text(members, "purpose", LONGEST_TEXT), CheckedLine.time(members, "since"), until, PastHolds.endingNamed(CheckedLine.text(members, "ending", LONGEST_TEXT)), count,
                CheckedLine.micros(members, "longestUs"), CheckedLine.micros(members, "waitedUs"), CheckedLine.micros(members, "waitBehindUs"), process(members));
    }

    private static @Nullable HolderProcess process(Map<String, Object> members) {
        HolderProcess process = new HolderProcess(CheckedLine.number(members, "starttime"), CheckedLine.time(members, "started"),
                CheckedLine.text(members, "boot", LONGEST_ID), CheckedLine.text(members, "pidns", LONGEST_ID), CheckedLine.text(members, "timens", LONGEST_ID));
        return HolderProcesses.isNothing(process) ? null : process;
    }
}
