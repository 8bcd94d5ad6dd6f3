package dev.sessionlock;

import static org.awaitility.Awaitility.await;

import java.lang.ref.WeakReference;
import java.net.URL;
import java.net.URLClassLoader;

/** Has a copy of the library of its own, as that of a web application in an application server. Nothing may keep it reachable once its locks are closed. */
final class OwnClassLoader extends URLClassLoader {
    OwnClassLoader() {
        super(new URL[] {SessionLocks.class.getProtectionDomain().getCodeSource().getLocation()}, OwnClassLoader.class.getClassLoader());
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        synchronized (getClassLoadingLock(name)) {
            Class<?> known = findLoadedClass(name);
            return known != null ? known : name.startsWith("dev.sessionlock.") ? findClass(name) : super.loadClass(name, resolve);
        }
    }

    /** {@return its {@link SessionLocks}} */
    Class<?> sessionLocks() throws ClassNotFoundException {
        return loadClass(SessionLocks.class.getName());
    }

    static void awaitUnreachable(WeakReference<ClassLoader> loader) {
        await().until(() -> {
            System.gc();
            return loader.get() == null;
        });
    }
}
