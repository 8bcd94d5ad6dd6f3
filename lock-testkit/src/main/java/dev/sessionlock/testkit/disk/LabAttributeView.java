package dev.sessionlock.testkit.disk;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.lang.reflect.UndeclaredThrowableException;
import java.nio.file.attribute.FileAttributeView;

/** A view of a file's attributes, of any kind. Setting one is a step. */
final class LabAttributeView {

    private LabAttributeView() {
    }

    /** One call of the view. */
    interface AttributeChange {
        void run() throws IOException;
    }

    /** Runs a call as a step. */
    interface AttributeStep {
        void run(AttributeChange change) throws IOException;
    }

    static <V extends FileAttributeView> V of(Class<V> type, V view, AttributeStep step) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[]{type}, (self, method, args) -> {
            if (!isChange(method)) {
                return call(view, method, args);
            }
            Object[] result = new Object[1];
            step.run(() -> result[0] = call(view, method, args));
            return result[0];
        }));
    }

    private static boolean isChange(Method method) {
        String name = method.getName();
        return name.startsWith("set") || name.equals("write") || name.equals("delete"); // the last two belong to user-defined attributes
    }

    private static Object call(Object view, Method method, Object[] args) throws IOException {
        try {
            return method.invoke(view, args);
        } catch (InvocationTargetException e) {
            Throwable cause = e.getCause();
            if (cause instanceof IOException io) {
                throw io;
            } else if (cause instanceof RuntimeException runtime) {
                throw runtime;
            } else if (cause instanceof Error error) {
                throw error;
            }
            throw new UndeclaredThrowableException(cause);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }
}
