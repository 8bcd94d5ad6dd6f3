package dev.sessionlock.windows;

import java.io.File;
import java.io.IOException;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A path of the system's own provider, which leads to {@link WindowsRulesProvider}. */
final class WindowsRulesPath implements InvocationHandler {
    private final WindowsRulesFileSystem fileSystem;
    private final Path real;

    private WindowsRulesPath(WindowsRulesFileSystem fileSystem, Path real) {
        this.fileSystem = fileSystem;
        this.real = real;
    }

    static Path wrap(WindowsRulesFileSystem fileSystem, Path real) {
        return (Path) Proxy.newProxyInstance(WindowsRulesPath.class.getClassLoader(), new Class<?>[] {Path.class}, new WindowsRulesPath(fileSystem, real));
    }

    static Path real(Path path) {
        return (Path) unwrapped(path);
    }

    private static Object unwrapped(Object value) {
        return value instanceof Proxy && Proxy.getInvocationHandler(value) instanceof WindowsRulesPath wrapped ? wrapped.real : value;
    }

    /** {@return the file whose short name this is} */
    private Path ofShortName() throws IOException {
        String beginning = real.getFileName().toString().substring(0, 6);
        String end = real.getFileName().toString().substring(8);
        try (DirectoryStream<Path> all = Files.newDirectoryStream(real.toAbsolutePath().getParent())) {
            for (Path file : all) {
                String name = file.getFileName().toString().toUpperCase(Locale.ROOT);
                if (name.startsWith(beginning) && name.substring(name.lastIndexOf('.')).startsWith(end)) {
                    return file.toRealPath();
                }
            }
        }
        throw new NoSuchFileException(real.toString());
    }

    @Override
    public Object invoke(Object proxy, Method method, Object[] args) throws Throwable {
        if (method.getName().equals("getFileSystem")) {
            return fileSystem;
        } else if (method.getName().equals("toFile")) {
            return new File(real.toString());
        }
        if (method.getName().equals("toRealPath") && real.getFileName() != null && real.getFileName().toString().contains("~1.")) {
            return wrap(fileSystem, ofShortName());
        }
        Object[] plain = args == null ? new Object[0] : args.clone();
        for (int i = 0; i < plain.length; i++) {
            plain[i] = unwrapped(plain[i]);
        }
        Object answer;
        try {
            answer = method.invoke(real, plain);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
        if (method.getName().equals("iterator")) {
            List<Path> parts = new ArrayList<>();
            real.forEach(part -> parts.add(wrap(fileSystem, part)));
            return parts.iterator();
        }
        return answer instanceof Path path ? wrap(fileSystem, path) : answer;
    }
}
