// Runs a job of Flink in this process, first to warm up, then measured: Main WORKLOAD PARALLELISM ROWS WARM_UPS ROUNDS

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.common.JobExecutionResult;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.runtime.util.EnvironmentInformation;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

final class Main {
    private Main() {}

    public static void main(String[] args) throws Exception {
        if (args.length != 5) {
            System.err.println("usage: Main W1|W2|W2C PARALLELISM ROWS WARM_UPS ROUNDS");
            System.exit(2);
        }
        String workload = args[0];
        int parallelism = Integer.parseInt(args[1]);
        long rows = Long.parseLong(args[2]);
        int warmUps = Integer.parseInt(args[3]);
        int rounds = Integer.parseInt(args[4]);
        // One cluster for all runs: neither its start nor its end is measured.
        MiniClusterConfiguration configuration = new MiniClusterConfiguration.Builder()
                .setNumTaskManagers(1)
                .setNumSlotsPerTaskManager(parallelism)
                .withRandomPorts()
                .build();
        try (MiniCluster cluster = new MiniCluster(configuration)) {
            cluster.start();
            for (int round = 0; round < warmUps + rounds; round++) {
                String line = run(cluster, workload, parallelism, rows);
                if (round >= warmUps) {
                    System.out.println(line);
                }
            }
        }
    }

    /** One run: the line that README.md describes. */
    private static String run(MiniCluster cluster, String workload, int parallelism, long rows) throws Exception {
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.createLocalEnvironment(parallelism, settings(workload));
        env.getConfig().enableObjectReuse();
        switch (workload) {
            case "W1" -> Jobs.filterAndMap(env, rows);
            case "W2" -> Jobs.windowedSum(env, rows);
            case "W2C" -> {
                env.enableCheckpointing(1_000);
                Jobs.windowedSum(env, rows);
            }
            default -> throw new IllegalArgumentException("no workload " + workload);
        }
        JobGraph job = env.getStreamGraph().getJobGraph();
        Workload.RESULTS.reset();
        Workload.CHECKSUM.reset();
        var process = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        long cpuNs = process.getProcessCpuTime();
        JobExecutionResult result = cluster.executeJobBlocking(job);
        cpuNs = process.getProcessCpuTime() - cpuNs;
        return "flink %s %d %d %d %d %d %d %d %s".formatted(
                workload, parallelism, rows, Workload.RESULTS.sum(), Workload.CHECKSUM.sum(),
                result.getNetRuntime(TimeUnit.MILLISECONDS), TimeUnit.NANOSECONDS.toMillis(cpuNs), peakMib(),
                EnvironmentInformation.getVersion());
    }

    /** W2C keeps its state in RocksDB, and takes incremental checkpoints in a folder that goes with the process. */
    private static Configuration settings(String workload) throws Exception {
        Configuration settings = new Configuration();
        if (workload.equals("W2C")) {
            Path folder = Files.createTempDirectory("flink-checkpoints");
            folder.toFile().deleteOnExit();
            settings.set(StateBackendOptions.STATE_BACKEND, "rocksdb");
            settings.set(CheckpointingOptions.INCREMENTAL_CHECKPOINTS, true);
            settings.set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem");
            settings.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, folder.toUri().toString());
        }
        return settings;
    }

    /** The most memory that this process had; 0 where the system does not say it in this way. */
    private static long peakMib() throws Exception {
        Path status = Path.of("/proc/self/status");
        if (!Files.exists(status)) {
            return 0;
        }
        return Files.readAllLines(status).stream()
                .filter(line -> line.startsWith("VmHWM:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) / 1024)
                .findFirst().orElse(0);
    }
}
