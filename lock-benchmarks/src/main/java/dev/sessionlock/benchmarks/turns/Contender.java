package dev.sessionlock.benchmarks.turns;

import dev.sessionlock.benchmarks.peers.Peer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/**
 * Who takes turns: a peer, of this build or of another one.
 *
 * @param peer the lock
 * @param jar another build's {@code benchmarks.jar}, whose lock it is; null for this build's
 */
public record Contender(Peer peer, Path jar) {
    private static final String OF_JAR = "@";

    /** {@return a contender of this build} */
    public static Contender of(Peer peer) {
        return new Contender(peer, null);
    }

    /**
     * Reads what {@link #toString} writes.
     *
     * @param text the name of a peer, or {@code PEER@JAR}
     * @throws IllegalArgumentException if there is no such peer
     * @throws IOException if there is no such jar; the message is for people
     */
    public static Contender parse(String text) throws IOException {
        int at = text.indexOf(OF_JAR);
        Peer peer = Peer.valueOf((at < 0 ? text : text.substring(0, at)).toUpperCase(Locale.ROOT));
        Path jar = at < 0 ? null : Path.of(text.substring(at + 1)).toAbsolutePath();
        if (jar != null && !Files.isReadable(jar)) {
            throw new IOException("there is no " + jar + " that can be read");
        }
        return new Contender(peer, jar);
    }

    @Override
    public String toString() {
        return jar == null ? peer.name() : peer.name() + OF_JAR + jar;
    }
}
