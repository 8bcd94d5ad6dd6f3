package dev.sessionlock.cli;

import java.nio.file.Path;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads the name of a file, by the rules of {@link FileName}. */
final class FileConverter implements ITypeConverter<Path> {
    @Override
    public Path convert(String text) {
        try {
            return FileName.path(text);
        } catch (IllegalArgumentException e) {
            throw new TypeConversionException(e.getMessage());
        }
    }
}
