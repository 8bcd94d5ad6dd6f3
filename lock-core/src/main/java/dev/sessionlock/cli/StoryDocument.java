package dev.sessionlock.cli;

import dev.sessionlock.LockReport.Remedy;
import dev.sessionlock.LockReport.RemedyKind;
import dev.sessionlock.LockReport.Waiter;
import dev.sessionlock.PastHold;
import dev.sessionlock.cli.Anomaly.HeldLong;
import dev.sessionlock.cli.Anomaly.HolderStopped;
import dev.sessionlock.cli.Anomaly.LeaseOver;
import dev.sessionlock.cli.Anomaly.LongWait;
import dev.sessionlock.cli.Anomaly.SameEnding;
import dev.sessionlock.cli.Anomaly.UnusualEndings;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A {@link Story} as a JSON document. Its form is fixed: programs read it. */
final class StoryDocument {

    private StoryDocument() {
    }

    static String of(Story story) {
        StorySentences words = new StorySentences(story);
        Remedy next = words.next();
        JsonWriter json = new JsonWriter().beginObject().member("version", 1).name("lock").beginObject();
        story.view().members(json).endObject();
        json.member("cause", story.cause()).member("why", words.why());
        json.name("thread");
        thread(json, story.thread());
        json.name("before");
        before(json, story.before(), words.before());
        json.name("next").beginObject().member("kind", next.kind()).member("step", next.kind() == RemedyKind.NONE ? null : next.step())
                .member("remark", next.remark()).endObject();
        json.name("queue").beginArray();
        story.view().report().waiters().forEach(waiter -> waiter(json, waiter));
        json.endArray().name("chain").beginArray();
        story.above().forEach(link -> link(json, link));
        story.below().forEach(link -> link(json, link));
        json.endArray().name("unusual").beginArray();
        List<String> unusual = words.unusual();
        for (int i = 0; i < unusual.size(); i++) {
            anomaly(json, story.anomalies().get(i), unusual.get(i));
        }
        json.endArray().name("usualMs").value(story.usual() == null ? null : story.usual().median().toMillis()).name("holds").beginArray();
        for (PastHold hold : story.last()) {
            HoldRows.json(json, hold);
        }
        return json.endArray().endObject().toString();
    }

    private static void thread(JsonWriter json, @Nullable ThreadSnapshot thread) {
        if (thread == null) {
            json.value(null);
            return;
        }
        json.beginObject().member("name", thread.name()).member("presence", thread.presence()).member("state", thread.state())
                .member("ranMs", thread.ran() == null ? null : thread.ran().toMillis())
                .member("watchedMs", thread.watched() == null ? null : thread.watched().toMillis()).member("stack", thread.frames()).endObject();
    }

    private static void before(JsonWriter json, @Nullable PastIncident before, @Nullable String words) {
        if (before == null) {
            json.value(null);
            return;
        }
        json.beginObject().member("cause", before.cause()).member("why", words).member("after", before.after()).member("process", before.process()).name("thread");
        thread(json, before.thread());
        json.name("hold");
        HoldRows.json(json, before.hold());
        json.endObject();
    }

    private static void waiter(JsonWriter json, Waiter waiter) {
        json.beginObject().member("pid", waiter.pid()).member("host", waiter.host()).member("thread", waiter.thread()).member("purpose", waiter.purpose())
                .member("since", waiter.since()).member("where", waiter.where()).endObject();
    }

    private static void link(JsonWriter json, ChainLink link) {
        json.beginObject().member("pid", link.pid()).member("thread", link.thread()).member("holds", link.holds()).member("waitsFor", link.waitsFor())
                .member("waiting", link.waiting()).endObject();
    }

    private static void anomaly(JsonWriter json, Anomaly anomaly, String words) {
        json.beginObject();
        if (anomaly instanceof HeldLong it) {
            json.member("kind", "HELD_LONG").member("times", it.times()).member("medianMs", it.usual().median().toMillis()).member("holds", it.usual().holds());
        } else if (anomaly instanceof HolderStopped it) {
            json.member("kind", "HOLDER_STOPPED").member("pid", it.pid());
        } else if (anomaly instanceof LeaseOver it) {
            json.member("kind", "LEASE_OVER").member("agoMs", it.ago().toMillis());
        } else if (anomaly instanceof LongWait it) {
            json.member("kind", "LONG_WAIT").member("waitedMs", it.waited().toMillis());
        } else if (anomaly instanceof SameEnding it) {
            json.member("kind", "SAME_ENDING").member("ending", it.ending()).member("times", it.times()).member("purpose", it.purpose());
        } else if (anomaly instanceof UnusualEndings it) {
            json.member("kind", "UNUSUAL_ENDINGS").member("unusual", it.unusual()).member("holds", it.holds());
        }
        json.member("text", words).endObject();
    }
}
