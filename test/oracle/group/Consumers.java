// Apache Kafka's own coordinator of consumer groups (KIP-848), one partition of it, driven by a script as Coordinator.java
// is: a line of JSON for each command, and a line for what came of it. Records are told as the bytes of the log.
package org.apache.kafka.coordinator.group;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.common.message.ConsumerGroupDescribeResponseData;
import org.apache.kafka.common.message.ConsumerGroupHeartbeatRequestData;
import org.apache.kafka.common.message.HeartbeatRequestData;
import org.apache.kafka.common.message.JoinGroupRequestData;
import org.apache.kafka.common.message.JoinGroupResponseData;
import org.apache.kafka.common.message.LeaveGroupRequestData;
import org.apache.kafka.common.message.OffsetCommitRequestData;
import org.apache.kafka.common.message.OffsetFetchRequestData;
import org.apache.kafka.common.message.SyncGroupRequestData;
import org.apache.kafka.common.message.SyncGroupResponseData;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.utils.LogContext;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.coordinator.common.runtime.CoordinatorExecutor;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataDelta;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataImage;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.common.runtime.CoordinatorResult;
import org.apache.kafka.coordinator.common.runtime.CoordinatorTimer;
import org.apache.kafka.coordinator.group.generated.*;
import org.apache.kafka.coordinator.group.metrics.GroupCoordinatorMetricsShard;
import org.apache.kafka.coordinator.group.modern.share.ShareGroupConfig;
import org.apache.kafka.server.authorizer.AuthorizableRequestContext;
import org.apache.kafka.timeline.SnapshotRegistry;

public final class Consumers {
    static final String GROUP = "readers";
    static final ObjectMapper JSON = new ObjectMapper();
    static final GroupCoordinatorRecordSerde SERDE = new GroupCoordinatorRecordSerde();

    record Due(long deadlineMs, long sequence, CoordinatorTimer.TimeoutOperation<CoordinatorRecord> operation) {}

    long nowMs = 1_000_000;
    long sequence = 0;
    int interval = 0;
    final Map<String, Due> timers = new HashMap<>();
    final Map<String, Runnable> tasks = new LinkedHashMap<>();
    final List<CoordinatorRecord> log = new ArrayList<>();
    final Map<String, String> ids = new HashMap<>();
    final TreeMap<Integer, ObjectNode> replies = new TreeMap<>();
    final Properties own = new Properties();
    ArrayNode stored = JSON.createArrayNode();
    Cluster cluster = new Cluster(new TreeMap<>(), 1);
    long addedVersion = 0;
    GroupMetadataManager groups;
    OffsetMetadataManager offsets;

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        Consumers coordinator = null;
        StringBuilder out = new StringBuilder();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode command = JSON.readTree(line);
            if (command.get("do").asText().equals("reset")) coordinator = new Consumers(command);
            out.append(coordinator.run(command)).append('\n');
        }
        System.out.print(out);
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
        SnapshotRegistry registry = new SnapshotRegistry(new LogContext());
        AbstractConfig values = new AbstractConfig(
            Utils.mergeConfigs(List.of(GroupCoordinatorConfig.CONFIG_DEF, ShareGroupConfig.CONFIG_DEF)),
            Map.of("group.consumer.assignors", "range", "group.consumer.assignment.interval.ms", interval,
                "group.consumer.max.size", 6), false);
        GroupCoordinatorConfig config = new GroupCoordinatorConfig(values);
        ShareGroupConfig share = new ShareGroupConfig(values);
        GroupCoordinatorMetricsShard metrics =
            new GroupCoordinatorMetricsShard(registry, Map.of(), new TopicPartition("__consumer_offsets", 0));
        GroupConfigManager own = new GroupConfigManager(Map.of(), config, share);
        groups = new GroupMetadataManager.Builder()
            .withSnapshotRegistry(registry)
            .withTime(time())
            .withTimer(new Timer())
            .withExecutor(new Executor())
            .withConfig(config)
            .withGroupConfigManager(own)
            .withGroupCoordinatorMetricsShard(metrics)
            .withMetadataImage(cluster)
            .build();
        offsets = new OffsetMetadataManager(registry, new LogContext(), time(), CoordinatorMetadataImage.EMPTY,
            groups, config, metrics);
        for (CoordinatorRecord record : log) replay(record);
        // As a broker does: a coordinator hears of the image when it is loaded. We remember when topics came last.
        groups.onMetadataUpdate(new Delta(List.of(), List.of(), Set.of(), cluster), new Cluster(cluster.topics(), addedVersion));
        groups.onMetadataUpdate(new Delta(List.of(), List.of(), Set.of(), cluster), cluster);
        groups.onLoaded();
    }

    Time time() {
        return (Time) Proxy.newProxyInstance(Time.class.getClassLoader(), new Class<?>[] {Time.class},
            (proxy, method, args) -> method.getName().equals("milliseconds") ? (Object) nowMs : (Object) (nowMs * 1_000_000));
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

    class Timer implements CoordinatorTimer<CoordinatorRecord> {
        public void schedule(String key, long delay, TimeUnit unit, boolean retry, TimeoutOperation<CoordinatorRecord> operation) {
            timers.put(key, new Due(nowMs + unit.toMillis(delay), sequence++, operation));
        }

        public void schedule(String key, long delay, TimeUnit unit, boolean retry, long backoff, TimeoutOperation<CoordinatorRecord> operation) {
            schedule(key, delay, unit, retry, operation);
        }

        public void scheduleIfAbsent(String key, long delay, TimeUnit unit, boolean retry, TimeoutOperation<CoordinatorRecord> operation) {
            if (!timers.containsKey(key)) schedule(key, delay, unit, retry, operation);
        }

        public void cancel(String key) {
            timers.remove(key);
        }

        public boolean isScheduled(String key) {
            return timers.containsKey(key);
        }
    }

    String run(JsonNode command) throws Exception {
        replies.clear();
        stored = JSON.createArrayNode();
        int ticket = command.path("ticket").asInt();
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
            case "list" -> list(ticket);
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
        ObjectNode result = JSON.createObjectNode();
        ArrayNode heard = result.putArray("replies");
        replies.values().forEach(heard::add);
        result.set("stored", stored);
        result.set("group", state());
        return JSON.writeValueAsString(result);
    }

    void advance(long ms) {
        long until = nowMs + ms;
        List<Runnable> waiting = new ArrayList<>(tasks.values());
        tasks.clear();
        waiting.forEach(Runnable::run);
        while (true) {
            Map.Entry<String, Due> next = null;
            for (Map.Entry<String, Due> entry : timers.entrySet()) {
                Due due = entry.getValue();
                if (due.deadlineMs > until) continue;
                if (next == null || due.deadlineMs < next.getValue().deadlineMs
                    || (due.deadlineMs == next.getValue().deadlineMs && due.sequence < next.getValue().sequence)) next = entry;
            }
            if (next == null) break;
            nowMs = Math.max(nowMs, next.getValue().deadlineMs);
            timers.remove(next.getKey());
            take(next.getValue().operation.generateRecords());
        }
        nowMs = until;
    }

    void take(CoordinatorResult<?, CoordinatorRecord> result) {
        for (CoordinatorRecord record : result.records()) {
            log.add(record);
            byte[] value = SERDE.serializeValue(record);
            stored.addArray().add(hex(SERDE.serializeKey(record))).add(value == null ? null : hex(value));
            if (result.replayRecords()) replay(record);
        }
        if (result.appendFuture() != null) result.appendFuture().complete(null);
    }

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
        try {
            var result = offsets.commitOffset(context(command), request);
            take(result);
            reply(ticket, "commit", result.response().topics().get(0).partitions().get(0).errorCode());
        } catch (RuntimeException error) {
            reply(ticket, "commit", Errors.forException(error).code());
        }
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
            .setName("range").setMetadata(HexFormat.of().parseHex(command.get("subscription").asText())));
        CompletableFuture<JoinGroupResponseData> future = new CompletableFuture<>();
        future.thenAccept(response -> {
            boolean isGiven = response.errorCode() == 0 || response.errorCode() == Errors.MEMBER_ID_REQUIRED.code();
            if (isGiven) ids.put(who, response.memberId());
            ObjectNode reply = reply(ticket, "join", response.errorCode());
            if (isGiven) reply.put("who", who).put("memberId", response.memberId());
            reply.put("generation", response.generationId());
        });
        try {
            take(groups.classicGroupJoin(context(command), request, future));
        } catch (RuntimeException error) {
            future.complete(new JoinGroupResponseData().setErrorCode(Errors.forException(error).code()));
        }
    }

    void sync(int ticket, JsonNode command) throws Exception {
        SyncGroupRequestData request = new SyncGroupRequestData()
            .setGroupId(GROUP)
            .setMemberId(idOf(command))
            .setGenerationId(command.get("epoch").asInt())
            .setGroupInstanceId(orNull(command, "instance"))
            .setProtocolType("consumer")
            .setProtocolName("range");
        command.get("assignments").fields().forEachRemaining(entry -> request.assignments().add(
            new SyncGroupRequestData.SyncGroupRequestAssignment().setMemberId(ids.getOrDefault(entry.getKey(), "bogus"))
                .setAssignment(HexFormat.of().parseHex(entry.getValue().asText()))));
        CompletableFuture<SyncGroupResponseData> future = new CompletableFuture<>();
        future.thenAccept(response -> {
            ObjectNode reply = reply(ticket, "sync", response.errorCode());
            reply.put("assignment", hex(response.assignment()));
        });
        try {
            take(groups.classicGroupSync(context(command), request, future));
        } catch (RuntimeException error) {
            future.complete(new SyncGroupResponseData().setErrorCode(Errors.forException(error).code()));
        }
    }

    void classicBeat(int ticket, JsonNode command) throws Exception {
        HeartbeatRequestData request = new HeartbeatRequestData()
            .setGroupId(GROUP)
            .setMemberId(idOf(command))
            .setGenerationId(command.get("epoch").asInt())
            .setGroupInstanceId(orNull(command, "instance"));
        try {
            var result = groups.classicGroupHeartbeat(context(command), request);
            take(result);
            reply(ticket, "classicBeat", result.response().errorCode());
        } catch (RuntimeException error) {
            reply(ticket, "classicBeat", Errors.forException(error).code());
        }
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

    void list(int ticket) {
        ArrayNode list = reply(ticket, "list", 0).putArray("groups");
        groups.listGroups(Set.of(), Set.of(), Long.MAX_VALUE).forEach(group -> list.add(String.join(" ",
            group.groupId(), group.protocolType(), group.groupState(), group.groupType())));
    }

    void delete(int ticket) {
        try {
            groups.validateDeleteGroup(GROUP);
            List<CoordinatorRecord> records = new ArrayList<>();
            offsets.deleteAllOffsets(GROUP, records);
            groups.createGroupTombstoneRecordsAndCancelTimers(GROUP, records);
            take(new CoordinatorResult<>(records));
            reply(ticket, "delete", 0);
        } catch (RuntimeException error) {
            reply(ticket, "delete", Errors.forException(error).code());
        }
    }

    void clean() {
        List<CoordinatorRecord> records = new ArrayList<>();
        for (String groupId : groups.groupIds()) {
            if (offsets.cleanupExpiredOffsets(groupId, records)) groups.maybeDeleteGroup(groupId, records);
        }
        take(new CoordinatorResult<>(records));
    }

    AuthorizableRequestContext context(JsonNode command) throws Exception {
        InetAddress address = InetAddress.getByAddress(new byte[] {127, 0, 0, 1});
        int version = command.path("version").asInt(1);
        return (AuthorizableRequestContext) Proxy.newProxyInstance(getClass().getClassLoader(),
            new Class<?>[] {AuthorizableRequestContext.class}, (proxy, method, args) -> switch (method.getName()) {
                case "requestVersion" -> version;
                case "clientId" -> "client";
                case "clientAddress" -> address;
                default -> null;
            });
    }

    ObjectNode reply(int ticket, String kind, int error) {
        ObjectNode reply = JSON.createObjectNode().put("ticket", ticket).put("kind", kind).put("error", error);
        replies.put(ticket, reply);
        return reply;
    }

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

    static String orNull(JsonNode node, String field) {
        return node.path(field).isTextual() ? node.get(field).asText() : null;
    }

    static String hex(byte[] bytes) {
        return bytes == null ? "" : HexFormat.of().formatHex(bytes);
    }
}
