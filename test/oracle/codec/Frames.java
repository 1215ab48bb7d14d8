// What stands around messages, as Kafka writes it: record batches, control batches, metadata and coordinator
// records, consumer protocol bytes. Prints name, tab, base64; run.ts keeps the lines as golden/protocol/frames.tsv,
// and test/unit/protocol/frames.test.ts builds the same things from the same values.

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.KRaftVersionRecord;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.message.SnapshotFooterRecord;
import org.apache.kafka.common.message.SnapshotHeaderRecord;
import org.apache.kafka.common.message.VotersRecord;
import org.apache.kafka.common.metadata.FeatureLevelRecord;
import org.apache.kafka.common.metadata.TopicRecord;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordSerde;
import org.apache.kafka.coordinator.group.generated.OffsetCommitKey;
import org.apache.kafka.coordinator.group.generated.OffsetCommitValue;
import org.apache.kafka.metadata.MetadataRecordSerde;
import org.apache.kafka.server.common.ApiMessageAndVersion;

public final class Frames {
  public static void main(String[] args) {
    batches();
    controlBatches();
    records();
    consumerProtocol();
  }

  private static void batches() {
    Header[] headers = {new RecordHeader("h", bytes("x")), new RecordHeader("größe", (byte[]) null)};
    SimpleRecord[] records = {
      new SimpleRecord(1_000_000_000_000L, bytes("key"), bytes("value"), headers),
      new SimpleRecord(999_999_999_999L, (byte[]) null, (byte[]) null),
      new SimpleRecord(1_000_000_000_500L, bytes(""), bytes("v".repeat(200))),
    };
    show("batch plain", MemoryRecords.withRecords(42L, Compression.NONE, 7, records));
    show("batch idempotent", MemoryRecords.withIdempotentRecords(0L, Compression.NONE, 9001L, (short) 3, 5, 2, records));
    show("batch transactional", MemoryRecords.withTransactionalRecords(0L, Compression.NONE, 9001L, (short) 3, 5, 2, records));
    show(
        "batch extreme",
        MemoryRecords.withRecords(
            Compression.NONE,
            new SimpleRecord(0L, null, bytes("a")),
            new SimpleRecord(Long.MAX_VALUE, null, bytes("b"))));
    MemoryRecordsBuilder stamped =
        MemoryRecords.builder(room(), (byte) 2, Compression.NONE, TimestampType.LOG_APPEND_TIME, 5L, 1_234L);
    stamped.append(new SimpleRecord(77L, null, bytes("a")));
    show("batch append time", stamped.build());
  }

  private static void controlBatches() {
    show(
        "control commit",
        MemoryRecords.withEndTransactionMarker(
            12L, 5_000L, 4, 9001L, (short) 3, new EndTransactionMarker(ControlRecordType.COMMIT, 8)));
    show(
        "control leader",
        MemoryRecords.withLeaderChangeMessage(
            10L,
            5_000L,
            4,
            room(),
            new LeaderChangeMessage()
                .setLeaderId(1)
                .setVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(1)))
                .setGrantingVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(1)))));
    show(
        "control snapshot header",
        MemoryRecords.withSnapshotHeaderRecord(
            0L, 5_000L, 4, room(), new SnapshotHeaderRecord().setLastContainedLogTimestamp(4_000L)));
    show("control snapshot footer", MemoryRecords.withSnapshotFooterRecord(3L, 5_000L, 4, room(), new SnapshotFooterRecord()));
    show(
        "control kraft version",
        MemoryRecords.withKRaftVersionRecord(1L, 5_000L, 4, room(), new KRaftVersionRecord().setKRaftVersion((short) 1)));
    VotersRecord.EndpointCollection endpoints = new VotersRecord.EndpointCollection();
    endpoints.add(new VotersRecord.Endpoint().setName("CONTROLLER").setHost("localhost").setPort(9093));
    show(
        "control voters",
        MemoryRecords.withVotersRecord(
            2L,
            5_000L,
            4,
            room(),
            new VotersRecord()
                .setVoters(
                    List.of(
                        new VotersRecord.Voter()
                            .setVoterId(1)
                            .setVoterDirectoryId(Uuid.fromString("MkU3OEVBNTcwNTJENDM2Qg"))
                            .setEndpoints(endpoints)
                            .setKRaftVersionFeature(
                                new VotersRecord.KRaftVersionFeature()
                                    .setMinSupportedVersion((short) 0)
                                    .setMaxSupportedVersion((short) 1))))));
  }

  private static void records() {
    TopicRecord topic = new TopicRecord().setName("t").setTopicId(Uuid.fromString("MkU3OEVBNTcwNTJENDM2Qg"));
    show("metadata topic", metadata(new ApiMessageAndVersion(topic, (short) 0)));
    FeatureLevelRecord level = new FeatureLevelRecord().setName("metadata.version").setFeatureLevel((short) 30);
    show("metadata feature", metadata(new ApiMessageAndVersion(level, (short) 0)));
    OffsetCommitKey key = new OffsetCommitKey().setGroup("g").setTopic("t").setPartition(3);
    OffsetCommitValue value = new OffsetCommitValue().setOffset(99L).setLeaderEpoch(2).setMetadata("m").setCommitTimestamp(5L);
    GroupCoordinatorRecordSerde serde = new GroupCoordinatorRecordSerde();
    CoordinatorRecord commit = CoordinatorRecord.record(key, new ApiMessageAndVersion(value, (short) 3));
    show("group key", serde.serializeKey(commit));
    show("group value", serde.serializeValue(commit));
  }

  private static void consumerProtocol() {
    List<TopicPartition> owned = List.of(new TopicPartition("a", 0), new TopicPartition("a", 2));
    show(
        "subscription",
        array(
            ConsumerProtocol.serializeSubscription(
                new Subscription(List.of("a", "b"), ByteBuffer.wrap(bytes("u")), owned, 7, java.util.Optional.of("rack")))));
    show("assignment", array(ConsumerProtocol.serializeAssignment(new Assignment(owned))));
  }

  private static byte[] metadata(ApiMessageAndVersion record) {
    ObjectSerializationCache cache = new ObjectSerializationCache();
    ByteBuffer buffer = ByteBuffer.allocate(MetadataRecordSerde.INSTANCE.recordSize(record, cache));
    MetadataRecordSerde.INSTANCE.write(record, cache, new ByteBufferAccessor(buffer));
    return buffer.array();
  }

  private static ByteBuffer room() {
    return ByteBuffer.allocate(512);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] array(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.remaining()];
    buffer.duplicate().get(bytes);
    return bytes;
  }

  private static void show(String name, MemoryRecords records) {
    show(name, array(records.buffer()));
  }

  private static void show(String name, byte[] bytes) {
    System.out.println(name + "\t" + Base64.getEncoder().encodeToString(bytes));
  }
}
