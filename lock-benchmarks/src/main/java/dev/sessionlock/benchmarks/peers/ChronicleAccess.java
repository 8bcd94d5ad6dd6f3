package dev.sessionlock.benchmarks.peers;

import java.util.List;

/**
 * The JVM arguments without which {@link Peer#CHRONICLE} cannot map a file. They change nothing for the other peers, so each JVM that measures has
 * them. Strings of their own, since an annotation takes nothing else.
 */
public final class ChronicleAccess {
    /** It makes private members of the JDK accessible by reflection. */
    public static final String REFLECTION = "--add-opens=java.base/java.lang.reflect=ALL-UNNAMED";
    /** It maps files with the JDK's own method. */
    public static final String MAPPING = "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED";
    /** It unmaps them with the JDK's own cleaner. */
    public static final String UNMAPPING = "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED";

    private ChronicleAccess() {
    }

    /** {@return all of them} */
    public static List<String> jvmArgs() {
        return List.of(REFLECTION, MAPPING, UNMAPPING);
    }
}
