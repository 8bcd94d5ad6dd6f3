package dev.sessionlock.testkit.disk;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** What an operation did to the disk. Names are relative to the lab's directory; files are identified by inode. */
public sealed interface Effect {

    /**
     * An operation begins. The effects after this one belong to it.
     *
     * @param counts false if it is done by a thread whose operations are not counted
     * @param length how much it writes
     */
    record Began(OperationType type, boolean counts, int length, String text) implements Effect {
    }

    /** A new file, directory or symbolic link ({@code f}, {@code d}, {@code l}; {@code target} is where a link points). */
    record Made(String name, long inode, char type, String target, int mode) implements Effect {
    }

    record Linked(String name, long inode) implements Effect {
    }

    record Removed(String name) implements Effect {
    }

    record Renamed(String from, String to) implements Effect {
    }

    record Wrote(long inode, long position, byte[] bytes) implements Effect {
    }

    record Resized(long inode, long size) implements Effect {
    }

    record Forced(long inode) implements Effect {
    }

    record Mode(long inode, int mode) implements Effect {
    }

    /** Writes it to a stream. */
    default void write(DataOutputStream out) throws IOException {
        if (this instanceof Began e) {
            out.writeByte('o');
            out.writeByte(e.type.ordinal());
            out.writeBoolean(e.counts);
            out.writeInt(e.length);
            text(out, e.text);
        } else if (this instanceof Made e) {
            out.writeByte('m');
            text(out, e.name);
            out.writeLong(e.inode);
            out.writeChar(e.type);
            text(out, e.target);
            out.writeInt(e.mode);
        } else if (this instanceof Linked e) {
            out.writeByte('l');
            text(out, e.name);
            out.writeLong(e.inode);
        } else if (this instanceof Removed e) {
            out.writeByte('x');
            text(out, e.name);
        } else if (this instanceof Renamed e) {
            out.writeByte('r');
            text(out, e.from);
            text(out, e.to);
        } else if (this instanceof Wrote e) {
            out.writeByte('w');
            out.writeLong(e.inode);
            out.writeLong(e.position);
            out.writeInt(e.bytes.length);
            out.write(e.bytes);
        } else if (this instanceof Resized e) {
            out.writeByte('t');
            out.writeLong(e.inode);
            out.writeLong(e.size);
        } else if (this instanceof Forced e) {
            out.writeByte('f');
            out.writeLong(e.inode);
        } else if (this instanceof Mode e) {
            out.writeByte('a');
            out.writeLong(e.inode);
            out.writeInt(e.mode);
        }
    }

    private static void text(DataOutputStream out, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8); // writeUTF accepts no more than 64 K
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    private static String text(DataInputStream in) throws IOException {
        return new String(in.readNBytes(in.readInt()), StandardCharsets.UTF_8);
    }

    private static Effect read(DataInputStream in, int tag) throws IOException {
        return switch (tag) {
            case 'o' -> new Began(OperationType.values()[in.readByte()], in.readBoolean(), in.readInt(), text(in));
            case 'm' -> new Made(text(in), in.readLong(), in.readChar(), text(in), in.readInt());
            case 'l' -> new Linked(text(in), in.readLong());
            case 'x' -> new Removed(text(in));
            case 'r' -> new Renamed(text(in), text(in));
            case 'w' -> new Wrote(in.readLong(), in.readLong(), in.readNBytes(in.readInt()));
            case 't' -> new Resized(in.readLong(), in.readLong());
            case 'f' -> new Forced(in.readLong());
            case 'a' -> new Mode(in.readLong(), in.readInt());
            default -> throw new IOException("the journal is damaged: " + tag);
        };
    }

    /** {@return the effects in a journal, without one that the end of its process has cut off} */
    static List<Effect> readAll(Path journal) throws IOException {
        List<Effect> all = new ArrayList<>();
        try (DataInputStream in = new DataInputStream(new BufferedInputStream(Files.newInputStream(journal)))) {
            for (int tag = in.read(); tag >= 0; tag = in.read()) {
                all.add(read(in, tag));
            }
        } catch (EOFException e) {
            // the process ended while it wrote this effect
        }
        return all;
    }
}
