package dev.sessionlock.internal.system;

import java.sql.SQLException;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Keeps passwords out of messages. Drivers and data sources put whole addresses into theirs. */
public final class Passwords {
    private static final String HIDDEN = "***";
    /** {@code password=x}, as in an address or a list of properties; hides rather a letter too much than shows one of the password's. */
    private static final Pattern PARAMETER = Pattern.compile("(?i)((?:password|passwd|pwd)\\s*=\\s*)[^&\\s]+");
    /** {@code //user:x@host}; a password may have a slash or an at sign. */
    private static final Pattern AUTHORITY = Pattern.compile("(//)[^\\s/@:'\"]*:[^\\s'\"]*@");

    private Passwords() {
    }

    /** {@return the text without what looks like a password} */
    public static String hiddenIn(String text) {
        return AUTHORITY.matcher(PARAMETER.matcher(text).replaceAll("$1" + HIDDEN)).replaceAll("$1" + HIDDEN + "@");
    }

    /** {@return the text without this password} */
    public static String hiddenIn(String text, @Nullable String password) {
        return hiddenIn(password == null || password.isEmpty() ? text : text.replace(password, HIDDEN));
    }

    /**
     * {@return an exception whose text, and that of its causes, shows no password: the same one if that is so already}
     *
     * @param password one that is known; null if none is
     */
    public static SQLException hiddenIn(SQLException e, @Nullable String password) {
        boolean clean = true;
        int depth = 0;
        for (Throwable link = e; link != null && depth < 100; link = link.getCause()) {
            String text = String.valueOf(link.getMessage());
            clean &= text.equals(hiddenIn(text, password));
            depth++;
        }
        if (clean) {
            return e;
        }
        SQLException safe = new SQLException(hiddenIn(String.valueOf(e.getMessage()), password), e.getSQLState(), e.getErrorCode());
        safe.setStackTrace(e.getStackTrace());
        return safe;
    }
}
