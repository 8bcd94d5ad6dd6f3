package dev.sessionlock.testkit.example;

import java.io.IOException;

/** What both writers of the guide do. */
interface Writer {
    void append(String line) throws IOException, InterruptedException;

    void compact() throws IOException, InterruptedException;
}
