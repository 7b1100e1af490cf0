// The source: the rows of the workload.

import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.connector.datagen.source.GeneratorFunction;

/** Makes row after row in one object, since object reuse is on. */
final class Rows implements GeneratorFunction<Long, Event> {
    private final long rowsEach;
    private final long subtasks;
    private transient Event event;

    private Rows(long rowsEach, long subtasks) {
        this.rowsEach = rowsEach;
        this.subtasks = subtasks;
    }

    /** Rows in as many turns as there are subtasks, so that event time passes in all of them alike. */
    static DataGeneratorSource<Event> source(long rows, int subtasks) {
        if (rows % subtasks != 0) {
            throw new IllegalArgumentException(rows + " rows cannot be dealt out to " + subtasks + " subtasks");
        }
        return new DataGeneratorSource<>(
                new Rows(rows / subtasks, subtasks), rows, RateLimiterStrategy.noOp(), Event.TYPE);
    }

    /** Each subtask of Flink's generator has one range of numbers: they are turned into every n-th row. */
    @Override
    public Event map(Long number) {
        if (event == null) {
            event = new Event();
        }
        long i = subtasks == 1 ? number : number % rowsEach * subtasks + number / rowsEach;
        event.userId = Workload.userId(i);
        event.amount = Workload.amount(i);
        event.timeMs = Workload.timeMs(i);
        return event;
    }
}
