// Writes with Apache Kafka's own classes what test/golden/log holds: two segments with their indexes, a
// leader epoch checkpoint, a producer snapshot, an offset checkpoint and partition.metadata.
// In Kafka's package because a producer's state may only be filled from there. Usage: WriteSegments <directory>
package org.apache.kafka.storage.internals.log;

import java.io.File;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.storage.internals.checkpoint.LeaderEpochCheckpointFile;
import org.apache.kafka.storage.internals.checkpoint.OffsetCheckpointFile;
import org.apache.kafka.storage.internals.checkpoint.PartitionMetadataFile;

public class WriteSegments {
    static final int BATCHES = 60;
    static final int ROLL_AT = 35;

    static Compression codec(int i) {
        switch (i % 5) {
            case 1: return Compression.gzip().build();
            case 2: return Compression.snappy().build();
            case 3: return Compression.lz4().build();
            case 4: return Compression.zstd().build();
            default: return Compression.NONE;
        }
    }

    static MemoryRecords batch(int i, long offset) {
        SimpleRecord[] records = new SimpleRecord[1 + i % 4];
        for (int r = 0; r < records.length; r++) {
            // Timestamps mostly grow and sometimes fall back.
            long timestamp = 1_700_000_000_000L + 1000L * (i % 7 == 3 ? i - 20 : i) + r;
            byte[] key = r % 2 == 0 ? null : ("key-" + i).getBytes(StandardCharsets.UTF_8);
            byte[] value = ("value-" + i + "-" + r + "-" + "x".repeat(i * 5)).getBytes(StandardCharsets.UTF_8);
            records[r] = new SimpleRecord(timestamp, key, value);
        }
        if (i % 10 == 9) {
            return MemoryRecords.withRecords((byte) 2, offset, codec(i), TimestampType.CREATE_TIME, 4000L + i, (short) 2,
                i * 3, 1 + i / 20, false, records);
        }
        return MemoryRecords.withRecords(offset, codec(i), 1 + i / 20, records);
    }

    public static void main(String[] args) throws Exception {
        File directory = new File(args[0]).getAbsoluteFile();
        directory.mkdirs();
        LogConfig config = new LogConfig(Map.of("index.interval.bytes", "500", "segment.index.bytes", "1200"));
        LogSegment segment = LogSegment.open(directory, 0, config, Time.SYSTEM, 0, false);
        long offset = 0;
        for (int i = 0; i < BATCHES; i++) {
            if (i == ROLL_AT) {
                segment.updateTxnIndex(new CompletedTxn(77, 3, 21, true), 19);
                segment.updateTxnIndex(new CompletedTxn(78, 10, 30, true), 31);
                segment.onBecomeInactiveSegment();
                segment.close();
                segment = LogSegment.open(directory, offset, config, Time.SYSTEM, 0, false);
            }
            MemoryRecords records = batch(i, offset);
            offset = records.batches().iterator().next().nextOffset();
            segment.append(offset - 1, records);
        }
        segment.close();

        LogDirFailureChannel failures = new LogDirFailureChannel(1);
        new LeaderEpochCheckpointFile(LeaderEpochCheckpointFile.newFile(directory), failures).write(
            List.of(new EpochEntry(1, 0), new EpochEntry(2, 49), new EpochEntry(3, 99)));
        Map<Long, ProducerStateEntry> producers = new LinkedHashMap<>();
        ProducerStateEntry writer = new ProducerStateEntry(4009, (short) 2, -1, 1_700_000_009_000L, OptionalLong.empty());
        writer.addBatch((short) 2, 28, 23, 1, 1_700_000_009_001L);
        producers.put(4009L, writer);
        producers.put(77L, new ProducerStateEntry(77, (short) 0, 5, 1_700_000_001_000L, OptionalLong.of(3)));
        ProducerStateManager.writeSnapshot(new File(directory, String.format("%020d.snapshot", offset)), producers, true);
        Map<TopicPartition, Long> points = new LinkedHashMap<>();
        points.put(new TopicPartition("orders", 0), 12345L);
        points.put(new TopicPartition("a.b-c_d", 17), 0L);
        new OffsetCheckpointFile(new File(directory, "recovery-point-offset-checkpoint"), failures).write(points);
        PartitionMetadataFile metadata = new PartitionMetadataFile(PartitionMetadataFile.newFile(directory), failures);
        metadata.record(Uuid.fromString("Jq-zGOXZQYSyGyOWzVbsjQ"));
        metadata.maybeFlush();
        System.out.println("end " + offset);
    }
}
