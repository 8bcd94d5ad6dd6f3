package dev.sessionlock.internal.system;


/**
 * How a person starts the operator's tool, as advice words it: in the tool itself, as it was started; in the library, which does not know where the
 * tool is, {@value #ANYWHERE}.
 */
public final class ToolCommand {
    /** How it is started by its jar, wherever that is. */
    public static final String ANYWHERE = "java -jar sessionlock.jar";

    private static volatile String command = ANYWHERE;
    private static volatile boolean launched;

    private ToolCommand() {
    }

    /** Called if this process is the tool, started by a launcher. */
    public static void isLauncher(String path) {
        command = Printable.shellWord(path);
        launched = true;
    }

    /** {@return whether this process is the tool, started by a launcher} */
    public static boolean isLaunched() {
        return launched;
    }

    /** Called if this process is the tool, started from its jar. */
    public static void isJar(String path) {
        command = "java -jar " + Printable.shellWord(path);
    }

    /** {@return the words that come before those of a command, for a shell} */
    public static String words() {
        return command;
    }
}
