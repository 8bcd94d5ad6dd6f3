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
            Set.of(Expiries.class, SeatLedger.class, PendingDeletes.class);
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
                values[i] = copy(fields[i].get(object));
            }
        } catch (IllegalAccessException e) {
            throw new AssertionError(e);
        }
    }

    private static Field[] changeable(Class<?> type) {
        List<Field> fields = new ArrayList<>();
        for (Class<?> declaring = type; declaring != Object.class; declaring = declaring.getSuperclass()) {
            for (Field field : declaring.getDeclaredFields()) {
                boolean fixed = Modifier.isStatic(field.getModifiers()) || Modifier.isFinal(field.getModifiers()) && isFixed(field.getType());
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

    private static Object copy(Object value) {
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

    void setBack() {
        try {
            for (int i = 0; i < fields.length; i++) {
                if (values[i] instanceof Remembered part) {
                    part.setBack();
                    if (!Modifier.isFinal(fields[i].getModifiers())) {
                        fields[i].set(object, part.object);
                    }
                } else {
                    fields[i].set(object, values[i]);
                }
            }
        } catch (IllegalAccessException e) {
            throw new AssertionError(e);
        }
    }
}
