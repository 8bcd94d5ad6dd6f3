package dev.sessionlock.jdbc;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Stands between a client and the server, and makes one statement fail: before it reaches the server, or after the server has carried it out; by a
 * broken connection, or by silence.
 */
final class FaultyProxy implements AutoCloseable {
    /** What goes wrong. */
    enum Fault {
        /** The connection breaks before the statement reaches the server. */
        REQUEST_CUT,
        /** The statement is carried out, and the connection breaks before its answer. */
        ANSWER_CUT,
        /** The statement never reaches the server, and there is no error. */
        REQUEST_SWALLOWED,
        /** The statement is carried out, and its answer never comes. */
        ANSWER_SWALLOWED;

        boolean isCarriedOut() {
            return this == ANSWER_CUT || this == ANSWER_SWALLOWED;
        }
    }

    private record Rule(String marker, Fault fault) {
    }

    private final ServerSocket door;
    private final String serverUrl;
    private final URI server;
    private final Set<Line> lines = ConcurrentHashMap.newKeySet();
    private final AtomicReference<Rule> rule = new AtomicReference<>();
    private final AtomicInteger hits = new AtomicInteger();
    private volatile boolean away;

    private FaultyProxy(String serverUrl) throws IOException {
        this.serverUrl = serverUrl;
        this.server = URI.create(serverUrl.substring("jdbc:".length()));
        this.door = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        daemon(this::accept);
    }

    static FaultyProxy before(String serverUrl) throws IOException {
        return new FaultyProxy(serverUrl);
    }

    /** {@return the address by which clients reach the server through it} Statements keep their text, by which they are recognized. */
    String url() {
        String behind = "jdbc:postgresql://127.0.0.1:" + door.getLocalPort() + serverUrl.substring(serverUrl.indexOf('/', "jdbc:postgresql://".length()));
        return behind + (behind.contains("?") ? "&" : "?") + "prepareThreshold=0&sslmode=disable";
    }

    /** The next statement that contains the marker goes wrong, once. */
    void next(String marker, Fault fault) {
        hits.set(0);
        rule.set(new Rule(marker, fault));
    }

    /** {@return whether the statement has gone wrong by now} */
    boolean hasHit() {
        return hits.get() > 0;
    }

    /** The server goes away: all connections break, and no new ones are accepted. */
    void goAway() {
        away = true;
        cut();
    }

    void comeBack() {
        away = false;
    }

    /** All connections break. */
    void cut() {
        lines.forEach(Line::cut);
    }

    private static void daemon(Runnable task) {
        Thread thread = new Thread(task, "faulty-proxy");
        thread.setDaemon(true);
        thread.start();
    }

    private void accept() {
        while (!door.isClosed()) {
            try {
                Socket client = door.accept();
                if (away) {
                    client.close();
                    continue;
                }
                Line entry = new Line(client, new Socket(server.getHost(), server.getPort() < 0 ? 5432 : server.getPort()));
                lines.add(entry);
                daemon(entry::forward);
                daemon(entry::back);
            } catch (IOException e) {
                // The server is gone, or the proxy is closed.
            }
        }
    }

    private final class Line {
        private final Socket client;
        private final Socket upstream;
        private volatile Fault pending;
        private volatile boolean silent;

        Line(Socket client, Socket upstream) throws IOException {
            this.client = client;
            this.upstream = upstream;
            client.setTcpNoDelay(true);
            upstream.setTcpNoDelay(true);
        }

        void forward() {
            pump(client, upstream, true);
        }

        void back() {
            pump(upstream, client, false);
        }

        private void pump(Socket from, Socket to, boolean requests) {
            byte[] chunk = new byte[1 << 16];
            try (InputStream in = from.getInputStream(); OutputStream out = to.getOutputStream()) {
                for (int n = in.read(chunk); n >= 0; n = in.read(chunk)) {
                    if (requests ? passes(chunk, n) : passesBack()) {
                        out.write(chunk, 0, n);
                    }
                }
            } catch (IOException e) {
                // The connection was broken, on either side.
            } finally {
                cut();
            }
        }

        private boolean passes(byte[] chunk, int n) throws IOException {
            Rule now = rule.get();
            if (now == null || !new String(chunk, 0, n, StandardCharsets.ISO_8859_1).contains(now.marker) || !rule.compareAndSet(now, null)) {
                return !silent;
            }
            switch (now.fault) {
                case REQUEST_CUT -> {
                    hits.incrementAndGet();
                    throw new IOException("cut");
                }
                case REQUEST_SWALLOWED -> {
                    silent = true;
                    hits.incrementAndGet();
                    return false;
                }
                default -> {
                    pending = now.fault;
                    return true;
                }
            }
        }

        private boolean passesBack() throws IOException {
            if (pending == null) {
                return !silent;
            }
            boolean cut = pending == Fault.ANSWER_CUT;
            pending = null;
            silent = true;
            hits.incrementAndGet();
            if (cut) {
                throw new IOException("cut");
            }
            return false;
        }

        void cut() {
            lines.remove(this);
            close(client);
            close(upstream);
        }

        private static void close(Socket socket) {
            try {
                socket.close();
            } catch (IOException e) {
                // It is gone.
            }
        }
    }

    @Override
    public void close() throws IOException {
        door.close();
        cut();
    }
}
