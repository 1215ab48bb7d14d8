// Stories of consumer groups (KIP-848), told to Apache Kafka's own coordinator (Shard.java). Records are told as the bytes
// of the log.

package org.apache.kafka.coordinator.group;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.ConsumerGroupDescribeResponseData;
import org.apache.kafka.common.message.ConsumerGroupHeartbeatRequestData;
import org.apache.kafka.common.message.HeartbeatRequestData;
import org.apache.kafka.common.message.JoinGroupRequestData;
import org.apache.kafka.common.message.LeaveGroupRequestData;
import org.apache.kafka.common.message.OffsetCommitRequestData;
import org.apache.kafka.common.message.OffsetFetchRequestData;
import org.apache.kafka.common.message.SyncGroupRequestData;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.coordinator.common.runtime.CoordinatorExecutor;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataDelta;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataImage;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.group.generated.*;
import org.apache.kafka.coordinator.group.generated.GroupMetadataKey;
import org.apache.kafka.coordinator.group.generated.GroupMetadataValue;
import org.apache.kafka.coordinator.group.generated.OffsetCommitKey;
import org.apache.kafka.coordinator.group.generated.OffsetCommitValue;

public final class Consumers extends Shard {
    static final GroupCoordinatorRecordSerde SERDE = new GroupCoordinatorRecordSerde();

    final int interval;
    final Map<String, Runnable> tasks = new LinkedHashMap<>();
    Cluster cluster = new Cluster(new TreeMap<>(), 1);
    long addedVersion = 0;

    public static void main(String[] args) throws Exception {
        answer(Consumers::new);
    }

    Consumers(JsonNode command) {
        interval = command.get("interval").asInt();
        load();
    }

    record Topic(String name, Uuid id, int partitionCount) implements CoordinatorMetadataImage.TopicMetadata {
        public List<String> partitionRacks(int partition) {
            return new ArrayList<>();
        }
    }

    record Cluster(TreeMap<String, Topic> topics, long version) implements CoordinatorMetadataImage {
        public Set<Uuid> topicIds() {
            return topics.values().stream().map(Topic::id).collect(java.util.stream.Collectors.toSet());
        }

        public Set<String> topicNames() {
            return topics.keySet();
        }

        public Optional<TopicMetadata> topicMetadata(String name) {
            return Optional.ofNullable(topics.get(name));
        }

        public Optional<TopicMetadata> topicMetadata(Uuid id) {
            return topics.values().stream().filter(topic -> topic.id().equals(id)).map(topic -> (TopicMetadata) topic).findFirst();
        }

        public CoordinatorMetadataDelta emptyDelta() {
            return CoordinatorMetadataDelta.EMPTY;
        }

        public boolean isEmpty() {
            return topics.isEmpty();
        }
    }

    record Delta(Collection<Uuid> createdTopicIds, Collection<Uuid> changedTopicIds, Set<Uuid> deletedTopicIds, CoordinatorMetadataImage image)
        implements CoordinatorMetadataDelta {}

    void load() {
        Map<String, ?> settings = Map.of("group.consumer.assignors", "range",
            "group.consumer.assignment.interval.ms", interval, "group.consumer.max.size", 6);
        load(settings, new Executor(), cluster);
        // As a broker does: a coordinator hears of the image when it is loaded. We remember when topics came last.
        groups.onMetadataUpdate(new Delta(List.of(), List.of(), Set.of(), cluster), new Cluster(cluster.topics(), addedVersion));
        groups.onMetadataUpdate(new Delta(List.of(), List.of(), Set.of(), cluster), cluster);
        groups.onLoaded();
    }

    class Executor implements CoordinatorExecutor<CoordinatorRecord> {
        public <R> boolean schedule(String key, TaskRunnable<R> task, TaskOperation<CoordinatorRecord, R> operation) {
            if (tasks.containsKey(key)) return false;
            tasks.put(key, () -> {
                try {
                    take(operation.onComplete(task.run(), null));
                } catch (Throwable problem) {
                    throw new IllegalStateException(problem);
                }
            });
            return true;
        }

        public boolean isScheduled(String key) {
            return tasks.containsKey(key);
        }

        public void cancel(String key) {
            tasks.remove(key);
        }
    }

    @Override
    void handle(int ticket, JsonNode command) throws Exception {
        switch (command.get("do").asText()) {
            case "beat" -> beat(ticket, command);
            case "commit" -> commit(ticket, command);
            case "fetch" -> fetch(ticket, command);
            case "topic" -> topic(command);
            case "join" -> join(ticket, command);
            case "sync" -> sync(ticket, command);
            case "classicBeat" -> classicBeat(ticket, command);
            case "leave" -> leave(ticket, command);
            case "time" -> advance(command.get("ms").asLong());
            case "list" -> list(ticket, Set.of());
            case "delete" -> delete(ticket);
            case "clean" -> clean();
            case "move" -> {
                groups.onUnloaded();
                timers.clear();
                tasks.clear();
                load();
            }
            default -> { }
        }
    }

    /** What was handed to the executor is done first. */
    @Override
    void advance(long ms) {
        List<Runnable> waiting = new ArrayList<>(tasks.values());
        tasks.clear();
        waiting.forEach(Runnable::run);
        super.advance(ms);
    }

    @Override
    JsonNode told(CoordinatorRecord record) {
        byte[] value = SERDE.serializeValue(record);
        return JSON.createArrayNode().add(hex(SERDE.serializeKey(record))).add(value == null ? null : hex(value));
    }

    @Override
    void replay(CoordinatorRecord record) {
        Object value = record.value() == null ? null : record.value().message();
        Object key = record.key();
        if (key instanceof GroupMetadataKey k) groups.replay(k, (GroupMetadataValue) value);
        else if (key instanceof OffsetCommitKey k) offsets.replay(0, -1, k, (OffsetCommitValue) value);
        else if (key instanceof ConsumerGroupMetadataKey k) groups.replay(k, (ConsumerGroupMetadataValue) value);
        else if (key instanceof ConsumerGroupPartitionMetadataKey k) groups.replay(k, (ConsumerGroupPartitionMetadataValue) value);
        else if (key instanceof ConsumerGroupMemberMetadataKey k) groups.replay(k, (ConsumerGroupMemberMetadataValue) value);
        else if (key instanceof ConsumerGroupTargetAssignmentMetadataKey k) groups.replay(k, (ConsumerGroupTargetAssignmentMetadataValue) value);
        else if (key instanceof ConsumerGroupTargetAssignmentMemberKey k) groups.replay(k, (ConsumerGroupTargetAssignmentMemberValue) value);
        else if (key instanceof ConsumerGroupCurrentMemberAssignmentKey k) groups.replay(k, (ConsumerGroupCurrentMemberAssignmentValue) value);
        else if (key instanceof ConsumerGroupRegularExpressionKey k) groups.replay(k, (ConsumerGroupRegularExpressionValue) value);
        else throw new IllegalStateException("a record of " + key.getClass());
    }

    void topic(JsonNode command) {
        String name = command.get("name").asText();
        int count = command.get("count").asInt();
        Topic before = cluster.topics().get(name);
        TreeMap<String, Topic> topics = new TreeMap<>(cluster.topics());
        if (count == 0) topics.remove(name);
        else topics.put(name, new Topic(name, Uuid.fromString(command.get("id").asText()), count));
        Cluster next = new Cluster(topics, command.get("version").asLong());
        Topic after = topics.get(name);
        List<Uuid> created = before == null && after != null ? List.of(after.id()) : List.of();
        List<Uuid> changed = after != null ? List.of(after.id()) : List.of();
        Set<Uuid> deleted = before != null && after == null ? Set.of(before.id()) : Set.of();
        Cluster last = cluster;
        cluster = next;
        if (!created.isEmpty()) addedVersion = next.version();
        groups.onMetadataUpdate(new Delta(created, changed, deleted, last), next);
    }

    void beat(int ticket, JsonNode command) throws Exception {
        ConsumerGroupHeartbeatRequestData request = new ConsumerGroupHeartbeatRequestData()
            .setGroupId(GROUP)
            .setMemberId(command.get("member").asText())
            .setMemberEpoch(command.get("epoch").asInt())
            .setInstanceId(orNull(command, "instance"))
            .setRackId(orNull(command, "rack"))
            .setRebalanceTimeoutMs(command.get("rebalance").asInt())
            .setSubscribedTopicNames(names(command.get("names")))
            .setSubscribedTopicRegex(orNull(command, "regex"))
            .setTopicPartitions(null);
        if (command.get("owned").isArray()) {
            List<ConsumerGroupHeartbeatRequestData.TopicPartitions> owned = new ArrayList<>();
            for (JsonNode each : command.get("owned")) {
                List<Integer> partitions = new ArrayList<>();
                each.get("partitions").forEach(partition -> partitions.add(partition.asInt()));
                owned.add(new ConsumerGroupHeartbeatRequestData.TopicPartitions()
                    .setTopicId(Uuid.fromString(each.get("topicId").asText())).setPartitions(partitions));
            }
            request.setTopicPartitions(owned);
        }
        try {
            var result = groups.consumerGroupHeartbeat(context(command), request);
            take(result);
            var response = result.response();
            ObjectNode reply = reply(ticket, "beat", response.errorCode());
            reply.put("member", response.memberId()).put("epoch", response.memberEpoch());
            reply.put("interval", response.heartbeatIntervalMs());
            if (response.assignment() == null) return;
            List<String> partitions = new ArrayList<>();
            response.assignment().topicPartitions().forEach(topic ->
                topic.partitions().forEach(partition -> partitions.add(topic.topicId() + ":" + partition)));
            partitions.sort(null);
            ArrayNode list = reply.putArray("assignment");
            partitions.forEach(list::add);
        } catch (RuntimeException error) {
            reply(ticket, "beat", Errors.forException(error).code());
        }
    }

    void commit(int ticket, JsonNode command) throws Exception {
        OffsetCommitRequestData request = new OffsetCommitRequestData()
            .setGroupId(GROUP)
            .setMemberId(command.get("member").asText())
            .setGenerationIdOrMemberEpoch(command.get("epoch").asInt());
        request.topics().add(new OffsetCommitRequestData.OffsetCommitRequestTopic()
            .setName(command.get("topic").asText())
            .setTopicId(Uuid.fromString(command.get("id").asText()))
            .setPartitions(List.of(new OffsetCommitRequestData.OffsetCommitRequestPartition()
                .setPartitionIndex(command.get("partition").asInt()).setCommittedOffset(5).setCommittedMetadata(""))));
        commit(ticket, command, request);
    }

    void fetch(int ticket, JsonNode command) {
        var request = new OffsetFetchRequestData.OffsetFetchRequestGroup().setGroupId(GROUP)
            .setMemberId(orNull(command, "member")).setMemberEpoch(command.get("epoch").asInt());
        try {
            var response = offsets.fetchAllOffsets(request, Long.MAX_VALUE);
            reply(ticket, "fetch", response.errorCode());
        } catch (RuntimeException error) {
            reply(ticket, "fetch", Errors.forException(error).code());
        }
    }

    void join(int ticket, JsonNode command) throws Exception {
        String who = command.get("who").asText();
        JoinGroupRequestData request = new JoinGroupRequestData()
            .setGroupId(GROUP)
            .setMemberId(idOf(command))
            .setGroupInstanceId(orNull(command, "instance"))
            .setSessionTimeoutMs(command.get("session").asInt())
            .setRebalanceTimeoutMs(command.get("rebalance").asInt())
            .setProtocolType("consumer");
        request.protocols().add(new JoinGroupRequestData.JoinGroupRequestProtocol()
            .setName("range").setMetadata(unhex(command.get("subscription").asText())));
        join(command, request, response -> {
            boolean isGiven = response.errorCode() == 0 || response.errorCode() == Errors.MEMBER_ID_REQUIRED.code();
            if (isGiven) ids.put(who, response.memberId());
            ObjectNode reply = reply(ticket, "join", response.errorCode());
            if (isGiven) reply.put("who", who).put("memberId", response.memberId());
            reply.put("generation", response.generationId());
        });
    }

    void sync(int ticket, JsonNode command) throws Exception {
        SyncGroupRequestData request = new SyncGroupRequestData()
            .setGroupId(GROUP)
            .setMemberId(idOf(command))
            .setGenerationId(command.get("epoch").asInt())
            .setGroupInstanceId(orNull(command, "instance"))
            .setProtocolType("consumer")
            .setProtocolName("range");
        sync(command, request, response -> {
            ObjectNode reply = reply(ticket, "sync", response.errorCode());
            reply.put("assignment", hex(response.assignment()));
        });
    }

    void classicBeat(int ticket, JsonNode command) throws Exception {
        HeartbeatRequestData request = new HeartbeatRequestData()
            .setGroupId(GROUP)
            .setMemberId(idOf(command))
            .setGenerationId(command.get("epoch").asInt())
            .setGroupInstanceId(orNull(command, "instance"));
        beat(ticket, command, request);
    }

    void leave(int ticket, JsonNode command) throws Exception {
        LeaveGroupRequestData request = new LeaveGroupRequestData().setGroupId(GROUP);
        request.members().add(new LeaveGroupRequestData.MemberIdentity()
            .setMemberId(idOf(command)).setGroupInstanceId(orNull(command, "instance")));
        try {
            var result = groups.classicGroupLeave(context(command), request);
            take(result);
            reply(ticket, "leave", result.response().members().get(0).errorCode());
        } catch (RuntimeException error) {
            reply(ticket, "leave", Errors.forException(error).code());
        }
    }

    String idOf(JsonNode command) {
        return switch (command.get("id").asText()) {
            case "own" -> ids.getOrDefault(command.get("who").asText(), "bogus");
            case "none" -> "";
            default -> "bogus";
        };
    }

    @Override
    JsonNode state() {
        var group = groups.consumerGroupDescribe(List.of(GROUP), Long.MAX_VALUE).get(0);
        if (group.errorCode() != 0) return JSON.nullNode();
        ObjectNode state = JSON.createObjectNode();
        state.put("state", group.groupState()).put("epoch", group.groupEpoch());
        state.put("assignmentEpoch", group.assignmentEpoch()).put("assignor", group.assignorName());
        List<String> members = new ArrayList<>();
        for (var member : group.members()) {
            List<String> names = new ArrayList<>(member.subscribedTopicNames());
            names.sort(null);
            members.add(String.join(" ", member.memberId(), String.valueOf(member.instanceId()), String.valueOf(member.rackId()),
                String.valueOf(member.memberEpoch()), String.join(",", names), String.valueOf(member.subscribedTopicRegex()),
                "has", said(member.assignment()), "for", said(member.targetAssignment()), String.valueOf(member.memberType())));
        }
        members.sort(null);
        ArrayNode list = state.putArray("members");
        members.forEach(list::add);
        return state;
    }

    static String said(ConsumerGroupDescribeResponseData.Assignment assignment) {
        List<String> partitions = new ArrayList<>();
        assignment.topicPartitions().forEach(topic ->
            topic.partitions().forEach(partition -> partitions.add(topic.topicName() + ":" + partition)));
        partitions.sort(null);
        return String.join(",", partitions);
    }

    static List<String> names(JsonNode node) {
        if (node.isNull()) return null;
        List<String> names = new ArrayList<>();
        node.forEach(name -> names.add(name.asText()));
        return names;
    }
}
