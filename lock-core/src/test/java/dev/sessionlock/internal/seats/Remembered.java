package dev.sessionlock.internal.seats;

import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.directory.TableEntry;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The fields of one object at some moment, so that they can be set back. It uses reflection, so that a field that is added to the engine later is not
 * forgotten. A field of a type that it cannot copy makes it fail.
 */
final class Remembered {
    private static final Set<Class<?>> SIMULATED =
            Set.of(String.class, LockStore.class, LockStore.RecordFile.class, TableEntry.class);
    /** The parts of the engine: what is in them is set back, too. */
    private static final Set<Class<?>> PARTS =
            Set.of(Expiries.class, SeatLedger.class, PendingDeletes.class, ReaderSlots.class, Representative.class, SeatEngine.class, ReaderHold.class);
    /** What the readers' parts use of an engine that sets it back itself. */
    private static final Map<Class<?>, Set<Class<?>>> OF_ANOTHER =
            Map.of(ReaderSlots.class, Set.of(SeatLedger.class, Expiries.class), Representative.class, Set.of(SeatLedger.class, Expiries.class, ReaderSlots.class));
    private static final Map<Class<?>, Field[]> FIELDS = new ConcurrentHashMap<>();

    private final Object object;
    private final Field[] fields;
    private final Object[] values;

    Remembered(Object object) {
        this.object = object;
        this.fields = FIELDS.computeIfAbsent(object.getClass(), Remembered::changeable);
        this.values = new Object[fields.length];
        try {
            for (int i = 0; i < fields.length; i++) {
                values[i] = copy(object, fields[i].get(object));
            }
        } catch (IllegalAccessException e) {
            throw new AssertionError(e);
        }
    }

    private static Field[] changeable(Class<?> type) {
        List<Field> fields = new ArrayList<>();
        for (Class<?> declaring = type; declaring != Object.class; declaring = declaring.getSuperclass()) {
            for (Field field : declaring.getDeclaredFields()) {
                boolean fixed = Modifier.isStatic(field.getModifiers()) || Modifier.isFinal(field.getModifiers())
                        && (isFixed(field.getType()) || OF_ANOTHER.getOrDefault(declaring, Set.of()).contains(field.getType()));
                if (!fixed) {
                    field.setAccessible(true);
                    fields.add(field);
                }
            }
        }
        return fields.toArray(new Field[0]);
    }

    /** What is final and never changes inside, or is itself simulated. */
    private static boolean isFixed(Class<?> type) {
        return type.isPrimitive() || type.isRecord() || SIMULATED.contains(type);
    }

    private static Object copy(Object of, Object value) {
        if (value instanceof Object[] array) {
            return new Elements(array);
        } else if (value instanceof SeatHold held && of instanceof ReaderHold) {
            return new Remembered(held);
        } else if (value instanceof LockStore) {
            return value;
        }
        if (value instanceof List<?> list) {
            return List.copyOf(list);
        } else if (value == null || value instanceof Number || value instanceof Boolean || value instanceof String || value instanceof Enum || value instanceof TakeoverPatience) {
            return value;
        } else if (value instanceof SeatHold || value instanceof TableEntry) {
            return value; // what is in it is set back by one of these of its own
        }
        if (PARTS.contains(value.getClass())) {
            return new Remembered(value);
        }
        throw new AssertionError("the simulation does not know how to set back a " + value.getClass());
    }

    /** An array, which nobody changes, and what is in its elements. */
    private static final class Elements {
        private final Object[] array;
        private final List<Remembered> parts = new ArrayList<>();

        Elements(Object[] array) {
            this.array = array;
            for (Object element : array) {
                if (copy(array, element) instanceof Remembered part) {
                    parts.add(part);
                }
            }
        }
    }

    void setBack() {
        try {
            for (int i = 0; i < fields.length; i++) {
                if (values[i] instanceof Remembered part) {
                    part.setBack();
                    if (!Modifier.isFinal(fields[i].getModifiers())) {
                        fields[i].set(object, part.object);
                    }
                } else if (values[i] instanceof Elements elements) {
                    elements.parts.forEach(Remembered::setBack);
                    fields[i].set(object, elements.array);
                } else {
                    fields[i].set(object, values[i]);
                }
            }
        } catch (IllegalAccessException e) {
            throw new AssertionError(e);
        }
    }
}
