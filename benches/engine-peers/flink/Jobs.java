// The two jobs, as a user of the DataStream API writes them who reads the pages on speed.

import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.functions.RichFilterFunction;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.streaming.api.functions.windowing.WindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

final class Jobs {
    private Jobs() {}

    /** W1: amount > 100, amount * 2 + 1. */
    static void filterAndMap(StreamExecutionEnvironment env, long rows) {
        env.fromSource(Rows.source(rows, env.getParallelism()), WatermarkStrategy.noWatermarks(), "rows")
                .filter(event -> event.amount > 100)
                .map(event -> {
                    event.amount = event.amount * 2 + 1;
                    return event;
                })
                .returns(Event.TYPE)
                .filter(new Check(false))
                .sinkTo(new DiscardingSink<>());
    }

    /** W2: amount > 100, by user, tumbling windows, sum of amount. */
    static void windowedSum(StreamExecutionEnvironment env, long rows) {
        WatermarkStrategy<Event> ascending = WatermarkStrategy.<Event>forMonotonousTimestamps()
                .withTimestampAssigner((event, none) -> event.timeMs);
        env.fromSource(Rows.source(rows, env.getParallelism()), ascending, "rows")
                .filter(event -> event.amount > 100)
                .keyBy(event -> event.userId, Types.LONG)
                .window(TumblingEventTimeWindows.of(Duration.ofMillis(Workload.WINDOW_MS)))
                .aggregate(new Sum(), new Result(), Types.POJO(Total.class), Event.TYPE)
                .filter(new Check(true))
                .sinkTo(new DiscardingSink<>());
    }

    /** A sum that is added to in place. */
    public static final class Total {
        public long sum;
    }

    static final class Sum implements AggregateFunction<Event, Total, Total> {
        @Override public Total createAccumulator() { return new Total(); }
        @Override public Total getResult(Total total) { return total; }

        @Override public Total add(Event event, Total total) {
            total.sum += event.amount;
            return total;
        }

        @Override public Total merge(Total a, Total b) {
            a.sum += b.sum;
            return a;
        }
    }

    static final class Result implements WindowFunction<Total, Event, Long, TimeWindow> {
        private transient Event event;

        @Override public void apply(Long userId, TimeWindow window, Iterable<Total> totals, Collector<Event> out) {
            if (event == null) {
                event = new Event();
            }
            event.userId = userId;
            event.amount = totals.iterator().next().sum;
            event.timeMs = window.getStart();
            out.collect(event);
        }
    }

    /** Counts and checks what comes out, in the subtask that made it; nothing goes on to the sink. */
    static final class Check extends RichFilterFunction<Event> {
        private final boolean isKeyed;
        private transient long results;
        private transient long checksum;

        Check(boolean isKeyed) {
            this.isKeyed = isKeyed;
        }

        @Override public boolean filter(Event event) {
            results += 1;
            checksum += isKeyed ? event.amount * (event.userId + 1 + event.timeMs / Workload.WINDOW_MS) : event.amount;
            return false;
        }

        @Override public void close() {
            Workload.RESULTS.add(results);
            Workload.CHECKSUM.add(checksum);
        }
    }
}
