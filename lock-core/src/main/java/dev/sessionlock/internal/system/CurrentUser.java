package dev.sessionlock.internal.system;

import org.jspecify.annotations.Nullable;

/** The user of this process, as files see it. */
public final class CurrentUser {
    private static final int ROOT = 0;
    /** Null if unknown. */
    private static final @Nullable Integer ID = id();

    private CurrentUser() {
    }

    private static @Nullable Integer id() {
        Rights rights = Rights.current();
        return rights == null ? null : rights.user();
    }

    /** {@return whether its number is known; it is not without {@code /proc}} */
    public static boolean isKnown() {
        return ID != null;
    }

    /** {@return whether a number, as a file's attributes have it, is this user's} */
    public static boolean is(Object uid) {
        return uid.equals(ID);
    }

    /** {@return whether it is root} */
    public static boolean isRoot() {
        return ID == null ? "root".equals(System.getProperty("user.name")) : ID == ROOT;
    }

    /** {@return whether a user is this one or root} If nothing is known of this one: whether it may be. */
    public static boolean trusts(Object uid) {
        return uid.equals(ROOT) || is(uid) || ID == null && !isRoot();
    }
}
