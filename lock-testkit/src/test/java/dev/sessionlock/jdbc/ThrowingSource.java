package dev.sessionlock.jdbc;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import java.util.function.Supplier;
import javax.sql.DataSource;

/**
 * A data source with one JDBC call that throws whatever its test wants: a call of the data source, of a connection, of a statement, of a result. It
 * lends its connections with settings that the engine must all change, and checks that they come back with the same.
 */
final class ThrowingSource {
    /** When the call throws. */
    enum When {
        /** Before doing anything. */
        BEFORE,
        /** After doing what it was asked for. */
        AFTER,
        /** Before doing anything, and so does every later call on the same connection. */
        FROM_THEN_ON
    }

    private static final int STRANGE_TIMEOUT = 77_000;
    private static final List<Class<?>> WATCHED =
            List.of(Connection.class, PreparedStatement.class, Statement.class, ResultSet.class, DatabaseMetaData.class);

    private record Fault(int call, When when, Supplier<Throwable> what, Predicate<Thread> whose) {
    }

    private final DataSource real;
    private final AtomicInteger calls = new AtomicInteger();
    private final AtomicInteger lent = new AtomicInteger();
    private final Queue<String> spoiled = new ConcurrentLinkedQueue<>();
    private volatile Fault fault;
    private volatile String thrownBy;

    ThrowingSource(DataSource real) {
        this.real = real;
    }

    DataSource asDataSource() {
        return proxy(DataSource.class, (proxy, method, args) -> {
            Loan loan = new Loan();
            return loan.watch("getConnection", method, args, () -> loan.lend(real.getConnection()));
        });
    }

    /** From now on the k-th call of these threads throws. */
    void arm(int call, When when, Supplier<Throwable> what, Predicate<Thread> whose) {
        calls.set(0);
        thrownBy = null;
        fault = new Fault(call, when, what, whose);
    }

    /** {@return whether it has thrown by now} */
    boolean hasThrown() {
        return thrownBy != null;
    }

    /** Nothing throws any more. Returns which call has thrown; null if none has. */
    String disarm() {
        fault = null;
        return thrownBy;
    }

    /** {@return how many connections have not come back} */
    int lent() {
        return lent.get();
    }

    /** {@return what came back with other settings} */
    Queue<String> spoiled() {
        return spoiled;
    }

    private interface Call {
        Object now() throws Throwable;
    }

    @SuppressWarnings("unchecked")
    private static <T> T proxy(Class<T> type, InvocationHandler handler) {
        return (T) Proxy.newProxyInstance(ThrowingSource.class.getClassLoader(), new Class<?>[] {type}, handler);
    }

    /** A connection that was lent, and all objects made from it. */
    private final class Loan {
        private Connection connection;
        private boolean isBack;
        private volatile Supplier<Throwable> broken;

        private Connection lend(Connection fresh) throws SQLException {
            connection = fresh;
            connection.setReadOnly(true);
            connection.setAutoCommit(false);
            connection.setNetworkTimeout(Runnable::run, STRANGE_TIMEOUT);
            lent.incrementAndGet();
            return connection;
        }

        private Object watch(String name, Method method, Object[] args, Call call) throws Throwable {
            if (method.getDeclaringClass() == Object.class) {
                return call.now();
            } else if (broken != null) {
                takeBack();
                throw broken.get();
            }
            Fault now = fault;
            boolean throwing = now != null && now.whose.test(Thread.currentThread()) && calls.incrementAndGet() == now.call;
            if (throwing && now.when != When.AFTER) {
                thrownBy = name;
                broken = now.when == When.FROM_THEN_ON ? now.what : null;
                throw now.what.get();
            }
            Object result = call.now();
            if (throwing) {
                thrownBy = name;
                if (name.equals("getConnection")) {
                    takeBack();
                }
                throw now.what.get();
            }
            return wrap(method.getReturnType(), result);
        }

        private Object wrap(Class<?> type, Object result) {
            return result == null || !WATCHED.contains(type) ? result : proxy(type, (proxy, method, args) ->
                    watch(method.getName(), method, args, () -> {
                        if (result == connection && method.getName().equals("close")) {
                            comesBack();
                            return null;
                        }
                        try {
                            return method.invoke(result, args);
                        } catch (InvocationTargetException e) {
                            throw e.getCause();
                        }
                    }));
        }

        private void comesBack() throws SQLException {
            if (!isBack) {
                isBack = true;
                lent.decrementAndGet();
                String state = "autoCommit " + connection.getAutoCommit() + ", readOnly " + connection.isReadOnly() + ", networkTimeout "
                        + connection.getNetworkTimeout();
                if (!state.equals("autoCommit false, readOnly true, networkTimeout " + STRANGE_TIMEOUT)) {
                    spoiled.add(state);
                }
                connection.close();
            }
        }

        /** The pool notices by itself that the connection is broken. */
        private void takeBack() throws SQLException {
            if (connection != null && !isBack) {
                isBack = true;
                lent.decrementAndGet();
                connection.close();
            }
        }
    }
}
