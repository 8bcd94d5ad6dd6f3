package dev.sessionlock.cli;

import java.io.IOException;

/** The other of the two JVMs between which the doctor tries locks. It does one thing at a time. */
interface Partner extends AutoCloseable {
    /**
     * Gives an order, see {@link DoctorPartnerCommand}.
     *
     * @return its answer
     * @throws IOException if it has ended or does not answer
     */
    String ask(String order) throws IOException, InterruptedException;

    /** Kills it with SIGKILL, and waits for its end. */
    void kill() throws IOException, InterruptedException;

    /** Ends it, whatever state it is in. */
    @Override
    void close();
}
