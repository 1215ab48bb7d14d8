// Apache Kafka's own metadata classes, as judge of ours.
//   write DIR        a log with a record of every type, the snapshot Kafka makes of it, a bootstrap
//                    checkpoint, and quorum-state files of both versions
//   same FILE FILE   loads two snapshots (named as Kafka names them) into images and compares them
// Run by run.ts with the jars of Apache Kafka on the class path; JDK 17 runs this file unbuilt.

import java.io.File;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.KRaftVersionRecord;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.message.VotersRecord;
import org.apache.kafka.common.metadata.*;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.LogContext;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.image.MetadataDelta;
import org.apache.kafka.image.MetadataImage;
import org.apache.kafka.image.MetadataProvenance;
import org.apache.kafka.image.loader.MetadataBatchLoader;
import org.apache.kafka.image.writer.ImageWriterOptions;
import org.apache.kafka.image.writer.RaftSnapshotWriter;
import org.apache.kafka.metadata.MetadataRecordSerde;
import org.apache.kafka.metadata.SupportedConfigChecker;
import org.apache.kafka.metadata.bootstrap.BootstrapDirectory;
import org.apache.kafka.metadata.bootstrap.BootstrapMetadata;
import org.apache.kafka.raft.Batch;
import org.apache.kafka.raft.ElectionState;
import org.apache.kafka.raft.FileQuorumStateStore;
import org.apache.kafka.raft.LeaderAndEpoch;
import org.apache.kafka.raft.ReplicaKey;
import org.apache.kafka.raft.VoterSet;
import org.apache.kafka.raft.internals.BatchBuilder;
import org.apache.kafka.server.common.ApiMessageAndVersion;
import org.apache.kafka.server.common.KRaftVersion;
import org.apache.kafka.server.common.MetadataVersion;
import org.apache.kafka.server.common.OffsetAndEpoch;
import org.apache.kafka.snapshot.FileRawSnapshotReader;
import org.apache.kafka.snapshot.FileRawSnapshotWriter;
import org.apache.kafka.snapshot.RecordsSnapshotReader;
import org.apache.kafka.snapshot.RecordsSnapshotWriter;

public final class Metadata {
  private static final int EPOCH = 3;
  private static final long NOW = 1_700_000_000_000L;

  public static void main(String[] args) throws Exception {
    if (args[0].equals("write")) write(Path.of(args[1]));
    else same(Path.of(args[1]), Path.of(args[2]));
  }

  private static Uuid id(int n) {
    return new Uuid(0x1100000000000000L, n);
  }

  private static ApiMessageAndVersion at(ApiMessage message, int version) {
    return new ApiMessageAndVersion(message, (short) version);
  }

  private static VotersRecord voters() {
    VotersRecord.Voter voter =
        new VotersRecord.Voter()
            .setVoterId(1)
            .setVoterDirectoryId(id(1))
            .setKRaftVersionFeature(
                new VotersRecord.KRaftVersionFeature()
                    .setMinSupportedVersion((short) 0)
                    .setMaxSupportedVersion((short) 1));
    voter.endpoints().add(
        new VotersRecord.Endpoint().setName("CONTROLLER").setHost("localhost").setPort(9093));
    return new VotersRecord().setVersion((short) 0).setVoters(List.of(voter));
  }

  /** Batches of records, in the order of the log; every type is there. */
  private static List<List<ApiMessageAndVersion>> batches() {
    List<ApiMessageAndVersion> first = new ArrayList<>();
    first.add(at(new BeginTransactionRecord().setName("Bootstrap records"), 0));
    first.add(feature("metadata.version", MetadataVersion.LATEST_PRODUCTION.featureLevel()));
    first.add(feature("group.version", 1));
    first.add(feature("eligible.leader.replicas.version", 1));
    first.add(at(new EndTransactionRecord(), 0));
    List<ApiMessageAndVersion> nodes = new ArrayList<>();
    nodes.add(at(new NoOpRecord(), 0));
    nodes.add(at(new ZkMigrationStateRecord().setZkMigrationState((byte) 0), 0));
    nodes.add(at(controller(), 0));
    for (int n = 1; n <= 4; n++) nodes.add(at(broker(n), 4));
    nodes.add(at(new UnfenceBrokerRecord().setId(1).setEpoch(11), 0));
    nodes.add(at(new FenceBrokerRecord().setId(2).setEpoch(12), 0));
    nodes.add(
        at(
            new BrokerRegistrationChangeRecord()
                .setBrokerId(3)
                .setBrokerEpoch(13)
                .setFenced((byte) -1)
                .setInControlledShutdown((byte) 1)
                .setLogDirs(List.of(id(203), id(213)))
                .setCordonedLogDirs(List.of(id(213))),
            3));
    nodes.add(at(new UnregisterBrokerRecord().setBrokerId(4).setBrokerEpoch(14), 0));
    List<ApiMessageAndVersion> topics = new ArrayList<>();
    for (int n = 1; n <= 3; n++) {
      topics.add(at(new TopicRecord().setName("topic-" + n).setTopicId(id(n)), 0));
      for (int p = 0; p < 2; p++) topics.add(at(partition(n, p), 2));
    }
    topics.add(
        at(
            new PartitionChangeRecord()
                .setPartitionId(0)
                .setTopicId(id(1))
                .setIsr(List.of(1))
                .setLeader(1)
                .setLeaderRecoveryState((byte) 0)
                .setEligibleLeaderReplicas(List.of(2, 3))
                .setLastKnownElr(List.of()),
            2));
    topics.add(
        at(
            new PartitionChangeRecord()
                .setPartitionId(1)
                .setTopicId(id(1))
                .setReplicas(List.of(3, 2))
                .setRemovingReplicas(List.of(2))
                .setAddingReplicas(List.of(3))
                .setLeader(-1)
                .setIsr(List.of())
                .setDirectories(List.of(id(203), id(202))),
            2));
    topics.add(at(new ClearElrRecord().setTopicName("topic-2"), 0));
    topics.add(config(2, "topic-1", "retention.ms", "1000"));
    topics.add(config(2, "topic-3", "retention.ms", "2000"));
    topics.add(config(4, "", "log.cleaner.threads", "2"));
    topics.add(config(4, "1", "log.cleaner.threads", "3"));
    topics.add(config(4, "1", "log.cleaner.threads", null));
    // In a batch of its own: Kafka forgets the configs of a removed topic only if it had published them.
    List<ApiMessageAndVersion> removal = List.of(at(new RemoveTopicRecord().setTopicId(id(3)), 0));
    List<ApiMessageAndVersion> security = new ArrayList<>();
    security.add(quota("producer_byte_rate", 1024.5, false, "user", null, "client-id", "app"));
    security.add(quota("connection_creation_rate", 5, false, "ip", "10.0.0.1"));
    security.add(quota("connection_creation_rate", 0, true, "ip", "10.0.0.1"));
    security.add(
        at(
            new ProducerIdsRecord().setBrokerId(1).setBrokerEpoch(11).setNextProducerId(3000),
            0));
    for (int n = 1; n <= 2; n++) security.add(at(acl(n), 0));
    security.add(at(new RemoveAccessControlEntryRecord().setId(id(302)), 0));
    for (int mechanism = 1; mechanism <= 2; mechanism++) {
      security.add(
          at(
              new UserScramCredentialRecord()
                  .setName("alice")
                  .setMechanism((byte) mechanism)
                  .setSalt(new byte[] {1, 2, 3})
                  .setStoredKey(new byte[] {4, 5})
                  .setServerKey(new byte[] {6})
                  .setIterations(4096),
              0));
    }
    security.add(
        at(
            new RemoveUserScramCredentialRecord().setName("alice").setMechanism((byte) 2), 0));
    for (String tokenId : List.of("t1", "t2")) {
      security.add(
          at(
              new DelegationTokenRecord()
                  .setOwner("User:alice")
                  .setRequester("User:bob")
                  .setRenewers(List.of("User:carol"))
                  .setIssueTimestamp(NOW)
                  .setMaxTimestamp(NOW + 1000)
                  .setExpirationTimestamp(NOW + 500)
                  .setTokenId(tokenId),
              0));
    }
    security.add(at(new RemoveDelegationTokenRecord().setTokenId("t2"), 0));
    List<ApiMessageAndVersion> doomed = new ArrayList<>();
    doomed.add(at(new BeginTransactionRecord().setName("doomed"), 0));
    doomed.add(at(new TopicRecord().setName("never").setTopicId(id(9)), 0));
    List<ApiMessageAndVersion> last = new ArrayList<>();
    last.add(at(new AbortTransactionRecord().setReason("changed my mind"), 0));
    return List.of(first, nodes, topics, removal, security, doomed, last);
  }

  private static ApiMessageAndVersion feature(String name, int level) {
    return at(new FeatureLevelRecord().setName(name).setFeatureLevel((short) level), 0);
  }

  private static ApiMessageAndVersion config(int type, String resource, String name, String value) {
    return at(
        new ConfigRecord()
            .setResourceType((byte) type)
            .setResourceName(resource)
            .setName(name)
            .setValue(value),
        0);
  }

  private static ApiMessageAndVersion quota(
      String key, double value, boolean remove, String... entity) {
    ClientQuotaRecord record =
        new ClientQuotaRecord().setKey(key).setValue(value).setRemove(remove);
    for (int i = 0; i < entity.length; i += 2) {
      record.entity().add(
          new ClientQuotaRecord.EntityData()
              .setEntityType(entity[i])
              .setEntityName(entity[i + 1]));
    }
    return at(record, 0);
  }

  private static AccessControlEntryRecord acl(int n) {
    return new AccessControlEntryRecord()
        .setId(id(300 + n))
        .setResourceType((byte) 2)
        .setResourceName("topic-1")
        .setPatternType((byte) 3)
        .setPrincipal("User:alice")
        .setHost("*")
        .setOperation((byte) 3)
        .setPermissionType((byte) (n == 1 ? 3 : 2));
  }

  private static RegisterControllerRecord controller() {
    RegisterControllerRecord record =
        new RegisterControllerRecord()
            .setControllerId(3000)
            .setIncarnationId(id(90))
            .setZkMigrationReady(true);
    record.endPoints().add(
        new RegisterControllerRecord.ControllerEndpoint()
            .setName("CONTROLLER")
            .setHost("c1")
            .setPort(9093)
            .setSecurityProtocol((short) 0));
    record.features().add(
        new RegisterControllerRecord.ControllerFeature()
            .setName("kraft.version")
            .setMinSupportedVersion((short) 0)
            .setMaxSupportedVersion((short) 1));
    return record;
  }

  private static RegisterBrokerRecord broker(int n) {
    RegisterBrokerRecord record =
        new RegisterBrokerRecord()
            .setBrokerId(n)
            .setIncarnationId(id(100 + n))
            .setBrokerEpoch(10 + n)
            .setRack(n == 1 ? "r1" : null)
            .setFenced(true)
            .setLogDirs(List.of(id(200 + n)))
            .setCordonedLogDirs(n == 2 ? List.of(id(202)) : List.of());
    record.endPoints().add(
        new RegisterBrokerRecord.BrokerEndpoint()
            .setName("PLAINTEXT")
            .setHost("b" + n)
            .setPort(9090 + n)
            .setSecurityProtocol((short) 0));
    record.features().add(
        new RegisterBrokerRecord.BrokerFeature()
            .setName("metadata.version")
            .setMinSupportedVersion((short) 7)
            .setMaxSupportedVersion((short) 30));
    return record;
  }

  private static PartitionRecord partition(int topic, int partition) {
    return new PartitionRecord()
        .setPartitionId(partition)
        .setTopicId(id(topic))
        .setReplicas(List.of(1, 2, 3))
        .setIsr(List.of(1, 2, 3))
        .setRemovingReplicas(topic == 2 ? List.of(3) : List.of())
        .setAddingReplicas(topic == 2 ? List.of(2) : List.of())
        .setLeader(1)
        .setLeaderRecoveryState((byte) 1)
        .setLeaderEpoch(0)
        .setPartitionEpoch(0)
        .setDirectories(List.of(id(201), id(202), id(203)))
        .setEligibleLeaderReplicas(List.of(2))
        .setLastKnownElr(List.of(3));
  }

  private static void write(Path directory) throws Exception {
    Path log = directory.resolve("00000000000000000000.log");
    Files.deleteIfExists(log);
    MetadataImage[] image = {MetadataImage.EMPTY};
    MetadataBatchLoader loader =
        new MetadataBatchLoader(
            new LogContext(),
            Time.SYSTEM,
            (message, cause) -> new RuntimeException(message, cause),
            (delta, next, manifest) -> image[0] = next,
            SupportedConfigChecker.TRUE);
    loader.resetToImage(MetadataImage.EMPTY);
    long offset = 0;
    try (FileChannel file =
        FileChannel.open(log, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      LeaderChangeMessage change =
          new LeaderChangeMessage()
              .setVersion((short) 0)
              .setLeaderId(1)
              .setVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(1)))
              .setGrantingVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(1)));
      MemoryRecords.withLeaderChangeMessage(
              offset++, NOW, EPOCH, ByteBuffer.allocate(256), change)
          .writeFullyTo(file);
      MemoryRecords.withKRaftVersionRecord(
              offset++,
              NOW,
              EPOCH,
              ByteBuffer.allocate(256),
              new KRaftVersionRecord().setVersion((short) 0).setKRaftVersion((short) 1))
          .writeFullyTo(file);
      MemoryRecords.withVotersRecord(offset++, NOW, EPOCH, ByteBuffer.allocate(512), voters())
          .writeFullyTo(file);
      for (List<ApiMessageAndVersion> records : batches()) {
        BatchBuilder<ApiMessageAndVersion> builder =
            new BatchBuilder<>(
                ByteBuffer.allocate(1 << 16),
                MetadataRecordSerde.INSTANCE,
                Compression.NONE,
                offset,
                NOW,
                EPOCH,
                1 << 16);
        ObjectSerializationCache cache = new ObjectSerializationCache();
        builder.bytesNeeded(records, cache);
        for (ApiMessageAndVersion record : records) builder.appendRecord(record, cache);
        builder.build().writeFullyTo(file);
        loader.loadBatch(
            Batch.data(offset, EPOCH, NOW, 1, records), LeaderAndEpoch.UNKNOWN);
        loader.maybeFlushBatches(LeaderAndEpoch.UNKNOWN, true);
        offset += records.size();
      }
    }
    snapshot(directory, image[0], new OffsetAndEpoch(offset, EPOCH));
    new BootstrapDirectory(directory.toString())
        .writeBinaryFile(
            BootstrapMetadata.fromVersions(
                MetadataVersion.LATEST_PRODUCTION, Map.of("group.version", (short) 1), "golden"));
    FileQuorumStateStore store = store(directory, "quorum-state-0");
    store.writeElectionState(
        ElectionState.withElectedLeader(7, 1, Optional.empty(), Set.of(1)),
        KRaftVersion.KRAFT_VERSION_0);
    store = store(directory, "quorum-state-1");
    store.writeElectionState(
        ElectionState.withElectedLeader(7, 1, Optional.of(ReplicaKey.of(2, id(2))), Set.of()),
        KRaftVersion.KRAFT_VERSION_1);
  }

  private static FileQuorumStateStore store(Path directory, String name) {
    return new FileQuorumStateStore(new File(directory.toFile(), name));
  }

  private static void snapshot(Path directory, MetadataImage image, OffsetAndEpoch id)
      throws Exception {
    Path path =
        directory.resolve(String.format("%020d-%010d.checkpoint", id.offset(), id.epoch()));
    Files.deleteIfExists(path);
    RecordsSnapshotWriter<ApiMessageAndVersion> raw =
        new RecordsSnapshotWriter.Builder()
            .setLastContainedLogTimestamp(NOW)
            .setMaxBatchSizeBytes(1 << 16)
            .setKraftVersion(KRaftVersion.KRAFT_VERSION_1)
            .setVoterSet(Optional.of(VoterSet.fromVotersRecord(voters())))
            .setRawSnapshotWriter(FileRawSnapshotWriter.create(directory, id))
            .build(MetadataRecordSerde.INSTANCE);
    RaftSnapshotWriter writer = new RaftSnapshotWriter(raw, 1024);
    image.write(writer, new ImageWriterOptions.Builder(image).build());
  }

  private static MetadataImage load(Path file) throws Exception {
    String name = file.getFileName().toString();
    OffsetAndEpoch id =
        new OffsetAndEpoch(
            Long.parseLong(name.substring(0, 20)), Integer.parseInt(name.substring(21, 31)));
    MetadataDelta delta = new MetadataDelta.Builder().setImage(MetadataImage.EMPTY).build();
    try (RecordsSnapshotReader<ApiMessageAndVersion> reader =
        RecordsSnapshotReader.of(
            FileRawSnapshotReader.open(file.getParent(), id),
            MetadataRecordSerde.INSTANCE,
            BufferSupplier.create(),
            8 << 20,
            true,
            new LogContext())) {
      while (reader.hasNext()) {
        for (ApiMessageAndVersion record : reader.next().records()) {
          delta.replay(record.message());
        }
      }
      delta.finishSnapshot();
      return delta.apply(
          new MetadataProvenance(
              id.offset() - 1, id.epoch(), reader.lastContainedLogTimestamp(), true));
    }
  }

  private static void same(Path one, Path other) throws Exception {
    MetadataImage left = load(one);
    MetadataImage right = load(other);
    if (left.equals(right) && !left.isEmpty()) {
      System.out.println("equal");
      return;
    }
    System.out.println("different");
    System.out.println(left);
    System.out.println(right);
    System.exit(1);
  }
}
