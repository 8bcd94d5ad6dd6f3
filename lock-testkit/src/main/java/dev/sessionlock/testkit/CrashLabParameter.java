package dev.sessionlock.testkit;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.junit.platform.commons.support.AnnotationSupport;

/** Provides tests with their labs, and closes them. */
final class CrashLabParameter implements ParameterResolver, AfterEachCallback {
    private static final ExtensionContext.Namespace NAMESPACE = ExtensionContext.Namespace.create(CrashLabParameter.class);

    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext test) {
        return parameter.getParameter().getType() == CrashLab.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext test) {
        CrashLab lab = CrashLab.create();
        AnnotationSupport.findAnnotation(test.getElement(), CrashTest.class).ifPresent(annotation -> lab.on(annotation.os()));
        labs(test).add(lab);
        return lab;
    }

    @Override
    public void afterEach(ExtensionContext test) throws IOException {
        for (CrashLab lab : labs(test)) {
            lab.close();
        }
    }

    @SuppressWarnings("unchecked")
    private static List<CrashLab> labs(ExtensionContext test) {
        return test.getStore(NAMESPACE).getOrComputeIfAbsent(test.getUniqueId(), id -> new ArrayList<CrashLab>(), List.class);
    }
}
