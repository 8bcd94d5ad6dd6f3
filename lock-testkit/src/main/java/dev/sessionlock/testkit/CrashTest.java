package dev.sessionlock.testkit;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * A JUnit Jupiter test with a {@link CrashLab} as its parameter, which is closed afterwards. It needs {@code junit-jupiter-api}, which is not a
 * dependency of the testkit.
 *
 * <pre>{@code
 * @CrashTest
 * void noKillLeavesHalfALine(CrashLab lab) throws Exception {
 *     lab.scenario(Append.class).check(dir -> assertThat(lines(dir)).allMatch(Session::isWhole)).killAtEveryStep();
 * }
 * }</pre>
 */
@Documented
@Target({ElementType.METHOD, ElementType.ANNOTATION_TYPE})
@Retention(RetentionPolicy.RUNTIME)
@Test
@ExtendWith(CrashLabParameter.class)
public @interface CrashTest {
    /**
     * {@return the operating system that the lab plays} The default is the one on which the test runs.
     *
     * <pre>{@code
     * @CrashTest(os = LabSystem.WINDOWS)
     * void noKillLeavesHalfALineOnWindows(CrashLab lab) throws Exception {
     *     lab.scenario(Append.class).check(dir -> assertThat(lines(dir)).allMatch(Session::isWhole)).killAtEveryStep();
     * }
     * }</pre>
     */
    LabSystem os() default LabSystem.POSIX;
}
