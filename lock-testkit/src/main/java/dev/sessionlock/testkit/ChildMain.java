package dev.sessionlock.testkit;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;

/** The main class of a child JVM. */
final class ChildMain {
    /** The beginning of the first argument if it contains a lambda instead of a class's name. */
    private static final String LAMBDA = "lambda:";

    private ChildMain() {
    }

    /**
     * Runs a class, or a lambda.
     *
     * @param args its name or a lambda, then its own arguments
     */
    public static void main(String[] args) throws Throwable {
        LabSystem.believe();
        List<String> own = List.of(Arrays.copyOfRange(args, 1, args.length));
        ParentJvm parent = ParentJvm.enter(own);
        if (args[0].startsWith(LAMBDA)) {
            unpack(args[0].substring(LAMBDA.length())).run(parent);
            return;
        }
        Class<?> what = Class.forName(args[0]);
        if (ChildScenario.class.isAssignableFrom(what)) {
            Constructor<?> constructor = what.getDeclaredConstructor();
            constructor.setAccessible(true);
            ((ChildScenario) constructor.newInstance()).run(parent);
        } else {
            callMain(what, own);
        }
    }

    /** {@return a lambda as the first argument} */
    static String pack(ChildScenario.Portable lambda) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(lambda);
        } catch (IOException e) {
            throw new IllegalArgumentException("this lambda cannot travel to another JVM, since it has captured what cannot: "
                    + e.getMessage() + " (the test itself, by a use of its fields or methods?)", e);
        }
        return LAMBDA + Base64.getEncoder().encodeToString(bytes.toByteArray());
    }

    private static ChildScenario unpack(String lambda) throws IOException, ClassNotFoundException {
        try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(Base64.getDecoder().decode(lambda)))) {
            return (ChildScenario) in.readObject();
        }
    }

    private static void callMain(Class<?> what, List<String> args) throws Throwable {
        Method main = what.getMethod("main", String[].class);
        main.setAccessible(true);
        try {
            main.invoke(null, (Object) args.toArray(new String[0]));
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }
}
