// The rows of the workload, and what results are checked by: the same formulas as in README.md.

import java.util.concurrent.atomic.LongAdder;

final class Workload {
    static final long USERS = 100_000;
    static final long AMOUNTS = 200;
    static final long WINDOW_MS = 60_000;

    private Workload() {}

    /** SplitMix64: the first number that it gives from the state x on. */
    static long mix(long x) {
        long z = x + 0x9e3779b97f4a7c15L;
        z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
        z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
        return z ^ (z >>> 31);
    }

    static long userId(long i) {
        return Long.remainderUnsigned(mix(2 * i), USERS);
    }

    static long amount(long i) {
        return Long.remainderUnsigned(mix(2 * i + 1), AMOUNTS);
    }

    static long timeMs(long i) {
        return i / 100;
    }

    /** Results of all subtasks of a run, added once per subtask: they run in this process. */
    static final LongAdder RESULTS = new LongAdder();
    static final LongAdder CHECKSUM = new LongAdder();
}
