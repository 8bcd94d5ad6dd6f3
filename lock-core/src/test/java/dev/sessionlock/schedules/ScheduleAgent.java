package dev.sessionlock.schedules;

import java.io.IOException;
import java.lang.instrument.ClassFileTransformer;
import java.lang.instrument.Instrumentation;
import java.lang.instrument.UnmodifiableClassException;
import java.security.ProtectionDomain;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassVisitor;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.MethodVisitor;
import org.objectweb.asm.Opcodes;

/**
 * What a JVM under Fray needs besides Fray. The JDK's timed waits look at Fray's clock, as our classes do by Fray's own doing. A hash code that the order of steps
 * depends on is the same in each run. And the rule that is to be broken is broken.
 */
public final class ScheduleAgent {
    private static final String[] TIMED_WAITS = {"java.lang.ref.ReferenceQueue", "java.util.concurrent.LinkedTransferQueue$DualNode",
        "java.util.concurrent.ScheduledThreadPoolExecutor", "java.util.concurrent.ScheduledThreadPoolExecutor$DelayedWorkQueue",
        "java.util.concurrent.ScheduledThreadPoolExecutor$ScheduledFutureTask", "java.util.concurrent.locks.AbstractQueuedSynchronizer$ConditionObject"};
    private static final String HASHED = "dev/sessionlock/internal/threads/LocalLock";

    private static long remembered;

    private ScheduleAgent() {
    }

    /** For a {@link Broken} rule: keeps a number. */
    public static void remember(long number) {
        remembered = number;
    }

    /** {@return the number} */
    public static long remembered() {
        return remembered;
    }

    /** @param broken the name of a {@link Broken}; null or empty for none */
    public static void premain(String broken, Instrumentation instrumentation) throws ClassNotFoundException, UnmodifiableClassException, IOException {
        Map<String, UnaryOperator<byte[]>> changes = Stream.of(TIMED_WAITS).collect(Collectors.toMap(name -> name.replace('.', '/'), name -> ScheduleAgent::withFraysTime));
        changes.put(HASHED, ScheduleAgent::withFixedHash);
        if (broken != null && !broken.isEmpty()) {
            Broken rule = Broken.valueOf(broken);
            rule.check();
            changes.merge(rule.target(), rule::apply, (first, second) -> classFile -> second.apply(first.apply(classFile)));
        }
        ClassFileTransformer transformer = new ClassFileTransformer() {
            @Override
            public byte[] transform(ClassLoader loader, String name, Class<?> known, ProtectionDomain domain, byte[] classFile) {
                UnaryOperator<byte[]> change = changes.get(name);
                return change == null ? null : change.apply(classFile);
            }
        };
        instrumentation.addTransformer(transformer, true);
        for (String name : TIMED_WAITS) {
            instrumentation.retransformClasses(Class.forName(name));
        }
    }

    private static byte[] withFraysTime(byte[] classFile) {
        ClassReader reader = new ClassReader(classFile);
        ClassWriter writer = new ClassWriter(reader, 0);
        reader.accept(new ClassVisitor(Opcodes.ASM9, writer) {
            @Override
            public MethodVisitor visitMethod(int access, String name, String descriptor, String signature, String[] exceptions) {
                return new MethodVisitor(Opcodes.ASM9, super.visitMethod(access, name, descriptor, signature, exceptions)) {
                    @Override
                    public void visitMethodInsn(int opcode, String owner, String called, String type, boolean isInterface) {
                        boolean time = owner.equals("java/lang/System") && called.equals("nanoTime");
                        super.visitMethodInsn(opcode, time ? "org/pastalab/fray/runtime/Runtime" : owner, time ? "onNanoTime" : called, type, isInterface);
                    }
                };
            }
        }, 0);
        return writer.toByteArray();
    }

    private static byte[] withFixedHash(byte[] classFile) {
        ClassReader reader = new ClassReader(classFile);
        ClassWriter writer = new ClassWriter(reader, 0);
        reader.accept(new ClassVisitor(Opcodes.ASM9, writer) {
            @Override
            public void visitEnd() {
                MethodVisitor code = super.visitMethod(Opcodes.ACC_PUBLIC, "hashCode", "()I", null, null);
                code.visitCode();
                code.visitInsn(Opcodes.ICONST_3);
                code.visitInsn(Opcodes.IRETURN);
                code.visitMaxs(1, 1);
                code.visitEnd();
                super.visitEnd();
            }
        }, 0);
        return writer.toByteArray();
    }
}
