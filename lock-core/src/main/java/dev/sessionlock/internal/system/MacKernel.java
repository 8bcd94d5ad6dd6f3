package dev.sessionlock.internal.system;

import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What the kernel of macOS says of this boot and of its machine, where Linux has {@code /proc/sys/kernel}.
 *
 * <p>A boot is told from others by {@code kern.bootsessionuuid}, which the kernel draws as it starts. Not by {@code kern.boottime}: that is reckoned back from
 * the wall clock and moves with it each time the clock is set, so that processes of one boot would take each other for dead.
 *
 * @param boot the id of the boot; null if unknown
 * @param host the name of the machine; null if unknown
 */
record MacKernel(@Nullable String boot, @Nullable String host) {
    /** What is known where it cannot be asked. */
    static final MacKernel UNKNOWN = new MacKernel(null, null);

    private static final String BOOT = "kern.bootsessionuuid";
    private static final String HOST = "kern.hostname";
    /** It takes some milliseconds. A machine that is too busy for this costs what a system without a boot id costs: leases tell, not the boot. */
    private static final long PATIENCE_MILLIS = 500;

    /** {@return what the kernel says; unknown where it is not macOS} */
    static MacKernel ask() {
        return OperatingSystem.current().isMac() ? ask("/usr/sbin/sysctl", PATIENCE_MILLIS) : UNKNOWN;
    }

    /**
     * {@return what the kernel says}
     *
     * @param sysctl the path of sysctl(8)
     * @param patienceMillis for how long it is waited for
     */
    static MacKernel ask(String sysctl, long patienceMillis) {
        return parse(SystemCommand.output(patienceMillis, sysctl, BOOT, HOST));
    }

    /** Reads lines such as {@code kern.hostname: moss.local}. */
    static MacKernel parse(@Nullable String output) {
        return output == null ? UNKNOWN : new MacKernel(uuid(value(output, BOOT)), value(output, HOST));
    }

    private static @Nullable String value(String output, String name) {
        for (String line : output.split("\n")) {
            if (line.startsWith(name + ":")) {
                String value = line.substring(name.length() + 1).strip();
                return value.isEmpty() ? null : value;
            }
        }
        return null;
    }

    /** Anything else that is printed there, such as a message, must not become the id of a boot: it could be another one the next time. */
    private static @Nullable String uuid(@Nullable String text) {
        try {
            return text == null ? null : UUID.fromString(text).toString();
        } catch (IllegalArgumentException e) {
            return null;
        }
    }
}
