// A row on its way, with the serializer that its author would write where speed matters: two longs, no reflection, no boxes.

import java.io.IOException;
import org.apache.flink.api.common.serialization.SerializerConfig;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

public final class Event {
    long userId;
    long amount;
    /** Only between source and watermarks; from there on it travels in Flink's own record. */
    long timeMs;

    static final TypeInformation<Event> TYPE = new Type();

    /** What Flink must know of the type. */
    static final class Type extends TypeInformation<Event> {
        @Override public boolean isBasicType() { return false; }
        @Override public boolean isTupleType() { return false; }
        @Override public int getArity() { return 1; }
        @Override public int getTotalFields() { return 1; }
        @Override public Class<Event> getTypeClass() { return Event.class; }
        @Override public boolean isKeyType() { return false; }
        @Override public TypeSerializer<Event> createSerializer(SerializerConfig config) { return new Serializer(); }
        @Override public String toString() { return "Event"; }
        @Override public boolean equals(Object other) { return other instanceof Type; }
        @Override public int hashCode() { return Type.class.hashCode(); }
        @Override public boolean canEqual(Object other) { return other instanceof Type; }
    }

    /** Two longs. */
    public static final class Serializer extends TypeSerializerSingleton<Event> {
        @Override public boolean isImmutableType() { return false; }
        @Override public Event createInstance() { return new Event(); }
        @Override public Event copy(Event from) { return copy(from, new Event()); }
        @Override public int getLength() { return 16; }

        @Override public Event copy(Event from, Event reuse) {
            reuse.userId = from.userId;
            reuse.amount = from.amount;
            return reuse;
        }

        @Override public void serialize(Event event, DataOutputView target) throws IOException {
            target.writeLong(event.userId);
            target.writeLong(event.amount);
        }

        @Override public Event deserialize(DataInputView source) throws IOException {
            return deserialize(new Event(), source);
        }

        @Override public Event deserialize(Event reuse, DataInputView source) throws IOException {
            reuse.userId = source.readLong();
            reuse.amount = source.readLong();
            return reuse;
        }

        @Override public void copy(DataInputView source, DataOutputView target) throws IOException {
            target.write(source, getLength());
        }

        @Override public TypeSerializerSnapshot<Event> snapshotConfiguration() { return new Snapshot(); }

        /** For checkpoints, which only W2C takes. */
        public static final class Snapshot extends SimpleTypeSerializerSnapshot<Event> {
            public Snapshot() {
                super(Serializer::new);
            }
        }
    }
}
