package dev.sessionlock.schedules;

import java.io.IOException;
import java.io.InputStream;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassVisitor;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.MethodVisitor;
import org.objectweb.asm.Opcodes;
import org.objectweb.asm.Type;

/**
 * The library with one of its rules broken: in one method, one call is left out, or its answer is assumed. The class file is changed as the JVM loads it, so the
 * library's source knows nothing of it. If there is no such call any more, {@link #apply} throws.
 */
enum Broken {
    /** A lost wake-up: whoever waits is not told that the lock is free. */
    FREED_WITHOUT_WAKING("LocalLock", "free", "wakeHeadInTurn"),
    /** A lost wake-up: the head of the queue goes, and the next one is not told that it is the head now. */
    LEFT_WITHOUT_WAKING("Acquirer", "leave", "wakeHeadInTurn"),
    /** A double grant: the look before the engine lock was taken counts, though another thread has taken the lock meanwhile. */
    NO_SECOND_LOOK("Acquirer", "tryUnderEngineLock", "isFree", Answer.TRUE),
    /** A double grant: a lock that ends its lingering is still there for the taking. */
    LINGERING_TAKEN_TWICE("Acquirer", "stopLingering", "beginEnding", Answer.TRUE),
    /** Whether the lease is over is looked at first; then the token is drawn, perhaps after a successor's. */
    TOKEN_DRAWN_AFTER_THE_CHECK("Grant", "reuse", "nanos", Answer.OF_THE_BEGINNING),
    /** A lock that came as its waiter was giving up stays for ever. */
    LATE_LOCK_KEPT("Acquirer", "leave", "close"),
    /** An interrupt that came as the lock came is forgotten. */
    INTERRUPT_FORGOTTEN("Acquirer", "park", "interrupt"),
    /** A kernel byte that nobody needs any more stays for ever. */
    BYTE_KEPT("KernelWaiter", "isDelivered", "declineAwaited"),
    /** What a take that threw has left stays for ever. */
    NOT_TIDIED("LeaseSupervisor", "maintainFree", "tidy"),
    /** A lock that is on its way as its future is cancelled stays for ever. */
    CANCELLED_LOCK_KEPT("AsyncAcquisition", "cancel", "closeSoon"),
    /** A reader joins others though somebody waits to write. */
    JOINED_PAST_A_WRITER("Joining", "tryJoin", "isEmpty", Answer.TRUE),
    /** A reader that has just got its handle is let in once more, by another thread. */
    LET_IN_TWICE("WaitQueue", "head", "hasHandle"),
    /** The last reader leaves, and the lock stays taken. */
    LAST_READER_KEEPS_IT("Releaser", "leave", "isEmpty"),
    /** All readers lose the lock, and one of them is told. */
    LOSS_TOLD_TO_ONE("Revocation", "loseWhole", "next"),
    /** Whether the lease is over is looked at first; then the engine is asked for one more reader. */
    JOINED_AFTER_THE_CHECK("SharedGrant", "join", "nanos", Answer.OF_THE_BEGINNING),
    /** A reader gets what a writer has closed and left for a moment, as if it were a reader's. */
    MODE_IGNORED("Acquirer", "handOverIdle", "shared");

    private enum Answer { NONE, TRUE, OF_THE_BEGINNING }

    private static final String PACKAGE = "dev/sessionlock/internal/threads/";

    private final String className;
    private final String method;
    private final String called;
    private final Answer answer;

    Broken(String className, String method, String called) {
        this(className, method, called, Answer.NONE);
    }

    /** @param answer what the call seems to return */
    Broken(String className, String method, String called, Answer answer) {
        this.className = className;
        this.method = method;
        this.called = called;
        this.answer = answer;
    }

    /** {@return the internal name of the class that is changed} */
    String target() {
        return className.contains("/") ? className : PACKAGE + className;
    }

    /** Throws if there is nothing to break. */
    void check() throws IOException {
        try (InputStream in = ClassLoader.getSystemResourceAsStream(target() + ".class")) {
            if (in == null) {
                throw new IllegalStateException(this + ": there is no class " + target());
            }
            apply(in.readAllBytes());
        }
    }

    /** {@return the class file without the rule} */
    byte[] apply(byte[] classFile) {
        int[] found = new int[1];
        ClassReader reader = new ClassReader(classFile);
        ClassWriter writer = new ClassWriter(reader, ClassWriter.COMPUTE_MAXS);
        reader.accept(new ClassVisitor(Opcodes.ASM9, writer) {
            @Override
            public MethodVisitor visitMethod(int access, String name, String descriptor, String signature, String[] exceptions) {
                MethodVisitor to = super.visitMethod(access, name, descriptor, signature, exceptions);
                return name.equals(method) ? new Breaking(to, found) : to;
            }
        }, 0);
        if (found[0] == 0) {
            throw new IllegalStateException(this + ": no call of " + called + " in " + className + "." + method + "; the rule has another place now");
        }
        return writer.toByteArray();
    }

    private final class Breaking extends MethodVisitor {
        private final int[] found;

        Breaking(MethodVisitor to, int[] found) {
            super(Opcodes.ASM9, to);
            this.found = found;
        }

        @Override
        public void visitCode() {
            super.visitCode();
            if (answer == Answer.OF_THE_BEGINNING) {
                super.visitVarInsn(Opcodes.ALOAD, 0);
                super.visitMethodInsn(Opcodes.INVOKEVIRTUAL, target(), "clock", "()Ldev/sessionlock/spi/Clock;", false);
                super.visitMethodInsn(Opcodes.INVOKEINTERFACE, "dev/sessionlock/spi/Clock", called, "()J", true);
                super.visitMethodInsn(Opcodes.INVOKESTATIC, "dev/sessionlock/schedules/ScheduleAgent", "remember", "(J)V", false);
            }
        }

        @Override
        public void visitMethodInsn(int opcode, String owner, String name, String descriptor, boolean isInterface) {
            if (!name.equals(called)) {
                super.visitMethodInsn(opcode, owner, name, descriptor, isInterface);
                return;
            }
            found[0]++;
            Type[] arguments = Type.getArgumentTypes(descriptor);
            for (int i = arguments.length - 1; i >= 0; i--) {
                super.visitInsn(arguments[i].getSize() == 2 ? Opcodes.POP2 : Opcodes.POP);
            }
            if (opcode != Opcodes.INVOKESTATIC) {
                super.visitInsn(Opcodes.POP);
            }
            Type result = Type.getReturnType(descriptor);
            if (answer == Answer.OF_THE_BEGINNING) {
                super.visitMethodInsn(Opcodes.INVOKESTATIC, "dev/sessionlock/schedules/ScheduleAgent", "remembered", "()J", false);
            } else if (result.getSort() != Type.VOID) {
                boolean object = result.getSort() == Type.OBJECT;
                super.visitInsn(object ? Opcodes.ACONST_NULL : answer == Answer.TRUE ? Opcodes.ICONST_1 : Opcodes.ICONST_0);
            }
        }
    }
}
