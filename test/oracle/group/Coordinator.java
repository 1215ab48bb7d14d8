// Apache Kafka's own group coordinator, one partition of it, driven by a script: a line of JSON for each command, and a
// line of JSON for what came of it. Time, timers and the log are ours; every decision is Kafka's. It is compiled into
// the package of Kafka's classes, since most of what it calls is not public.
//
// Members go by the part of their id before the uuid. Where Kafka takes a leader in the order of a hash, it is told
// afterwards whom the other side took (`leader`), so that one arbitrary choice is not a different story from there on.
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
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.common.message.HeartbeatRequestData;
import org.apache.kafka.common.message.JoinGroupRequestData;
import org.apache.kafka.common.message.JoinGroupResponseData;
import org.apache.kafka.common.message.LeaveGroupRequestData;
import org.apache.kafka.common.message.OffsetCommitRequestData;
import org.apache.kafka.common.message.OffsetDeleteRequestData;
import org.apache.kafka.common.message.OffsetFetchRequestData;
import org.apache.kafka.common.message.SyncGroupRequestData;
import org.apache.kafka.common.message.SyncGroupResponseData;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.utils.LogContext;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.coordinator.common.runtime.CoordinatorExecutor;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataImage;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.common.runtime.CoordinatorResult;
import org.apache.kafka.coordinator.common.runtime.CoordinatorTimer;
import org.apache.kafka.coordinator.group.classic.ClassicGroup;
import org.apache.kafka.coordinator.group.classic.ClassicGroupMember;
import org.apache.kafka.coordinator.group.classic.ClassicGroupState;
import org.apache.kafka.coordinator.group.generated.GroupMetadataKey;
import org.apache.kafka.coordinator.group.generated.GroupMetadataValue;
import org.apache.kafka.coordinator.group.generated.OffsetCommitKey;
import org.apache.kafka.coordinator.group.generated.OffsetCommitValue;
import org.apache.kafka.coordinator.group.modern.share.ShareGroupConfig;
import org.apache.kafka.coordinator.group.metrics.GroupCoordinatorMetricsShard;
import org.apache.kafka.server.authorizer.AuthorizableRequestContext;
import org.apache.kafka.timeline.SnapshotRegistry;

public final class Coordinator {
    static final String GROUP = "readers";
    static final ObjectMapper JSON = new ObjectMapper();

    record Due(long deadlineMs, long sequence, CoordinatorTimer.TimeoutOperation<CoordinatorRecord> operation) {}

    long nowMs = 1_000_000;
    long sequence = 0;
    final Map<String, Due> timers = new HashMap<>();
    final List<CoordinatorRecord> log = new ArrayList<>();
    final Map<String, String> ids = new HashMap<>();
    final Map<String, String> oldIds = new HashMap<>();
    final TreeMap<Integer, ObjectNode> replies = new TreeMap<>();
    ArrayNode stored = JSON.createArrayNode();
    GroupMetadataManager groups;
    OffsetMetadataManager offsets;

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        Coordinator coordinator = new Coordinator();
        StringBuilder out = new StringBuilder();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode command = JSON.readTree(line);
            if (command.get("do").asText().equals("reset")) coordinator = new Coordinator();
            out.append(coordinator.run(command)).append('\n');
        }
        System.out.print(out);
    }

    Coordinator() {
        load();
    }

    void load() {
        SnapshotRegistry registry = new SnapshotRegistry(new LogContext());
        AbstractConfig values = new AbstractConfig(
            Utils.mergeConfigs(List.of(GroupCoordinatorConfig.CONFIG_DEF, ShareGroupConfig.CONFIG_DEF)), Map.of(), false);
        GroupCoordinatorConfig config = new GroupCoordinatorConfig(values);
        ShareGroupConfig share = new ShareGroupConfig(values);
        GroupCoordinatorMetricsShard metrics =
            new GroupCoordinatorMetricsShard(registry, Map.of(), new TopicPartition("__consumer_offsets", 0));
        groups = new GroupMetadataManager.Builder()
            .withSnapshotRegistry(registry)
            .withTime(time())
            .withTimer(new Timer())
            .withExecutor(stub(CoordinatorExecutor.class))
            .withConfig(config)
            .withGroupConfigManager(new GroupConfigManager(Map.of(), config, share))
            .withGroupCoordinatorMetricsShard(metrics)
            .build();
        offsets = new OffsetMetadataManager(registry, new LogContext(), time(), CoordinatorMetadataImage.EMPTY,
            groups, config, metrics);
        for (CoordinatorRecord record : log) replay(record);
        groups.onLoaded();
    }

    Time time() {
        return (Time) Proxy.newProxyInstance(Time.class.getClassLoader(), new Class<?>[] {Time.class},
            (proxy, method, args) -> method.getName().equals("milliseconds") ? (Object) nowMs : (Object) (nowMs * 1_000_000));
    }

    @SuppressWarnings("unchecked")
    static <T> T stub(Class<?> type) {
        return (T) Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (proxy, method, args) -> false);
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
            case "join" -> join(ticket, command);
            case "sync" -> sync(ticket, command);
            case "beat" -> beat(ticket, command);
            case "leave" -> leave(ticket, command);
            case "commit" -> commit(ticket, command);
            case "time" -> advance(command.get("ms").asLong());
            case "fetch" -> fetch(ticket);
            case "deleteOffsets" -> deleteOffsets(ticket, command);
            case "describe" -> describeGroup(ticket, command);
            case "list" -> list(ticket, command);
            case "delete" -> delete(ticket);
            case "clean" -> clean();
            case "move" -> {
                groups.onUnloaded();
                timers.clear();
                load();
            }
            default -> { }
        }
        ObjectNode result = JSON.createObjectNode();
        ArrayNode heard = result.putArray("replies");
        replies.values().forEach(heard::add);
        result.set("stored", stored);
        result.set("group", state());
        agreeOnLeader(command.path("leader").asText(""));
        return JSON.writeValueAsString(result);
    }

    void advance(long ms) {
        long until = nowMs + ms;
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
            stored.add(describe(record));
            if (result.replayRecords()) replay(record);
        }
        if (result.appendFuture() != null) result.appendFuture().complete(null);
    }

    void replay(CoordinatorRecord record) {
        Object value = record.value() == null ? null : record.value().message();
        if (record.key() instanceof GroupMetadataKey key) groups.replay(key, (GroupMetadataValue) value);
        else if (record.key() instanceof OffsetCommitKey key) offsets.replay(0, -1, key, (OffsetCommitValue) value);
    }

    void join(int ticket, JsonNode command) throws Exception {
        String who = command.get("who").asText();
        JoinGroupRequestData request = new JoinGroupRequestData()
            .setGroupId(GROUP)
            .setMemberId(idOf(command))
            .setGroupInstanceId(orNull(command, "instance"))
            .setSessionTimeoutMs(command.get("session").asInt())
            .setRebalanceTimeoutMs(command.get("rebalance").asInt())
            .setProtocolType(command.get("type").asText());
        for (JsonNode each : command.get("protocols")) {
            request.protocols().add(new JoinGroupRequestData.JoinGroupRequestProtocol()
                .setName(each.get(0).asText()).setMetadata(unhex(each.get(1).asText())));
        }
        CompletableFuture<JoinGroupResponseData> future = new CompletableFuture<>();
        future.thenAccept(response -> hearJoin(ticket, who, response));
        try {
            take(groups.classicGroupJoin(context(command), request, future));
        } catch (RuntimeException error) {
            future.complete(new JoinGroupResponseData().setErrorCode(Errors.forException(error).code()));
        }
    }

    void hearJoin(int ticket, String who, JoinGroupResponseData response) {
        boolean isGiven = response.errorCode() == 0 || response.errorCode() == Errors.MEMBER_ID_REQUIRED.code();
        if (isGiven && !response.memberId().equals(ids.get(who))) {
            oldIds.put(who, ids.getOrDefault(who, "bogus"));
            ids.put(who, response.memberId());
        }
        ObjectNode reply = reply(ticket, "join", response.errorCode());
        reply.put("generation", response.generationId());
        reply.put("type", response.protocolType());
        reply.put("protocol", response.protocolName());
        reply.put("leader", nameOf(response.leader()));
        reply.put("member", nameOf(response.memberId()));
        reply.put("skip", response.skipAssignment());
        List<String> members = new ArrayList<>();
        response.members().forEach(member ->
            members.add(nameOf(member.memberId()) + " " + member.groupInstanceId() + " " + hex(member.metadata())));
        members.sort(null);
        ArrayNode list = reply.putArray("members");
        members.forEach(list::add);
    }

    void sync(int ticket, JsonNode command) throws Exception {
        SyncGroupRequestData request = new SyncGroupRequestData()
            .setGroupId(GROUP)
            .setMemberId(idOf(command))
            .setGenerationId(command.get("generation").asInt())
            .setGroupInstanceId(orNull(command, "instance"))
            .setProtocolType(orNull(command, "type"))
            .setProtocolName(orNull(command, "protocol"));
        command.get("assignments").fields().forEachRemaining(entry -> request.assignments().add(
            new SyncGroupRequestData.SyncGroupRequestAssignment()
                .setMemberId(ids.getOrDefault(entry.getKey(), "bogus")).setAssignment(unhex(entry.getValue().asText()))));
        CompletableFuture<SyncGroupResponseData> future = new CompletableFuture<>();
        future.thenAccept(response -> {
            ObjectNode reply = reply(ticket, "sync", response.errorCode());
            reply.put("type", response.protocolType());
            reply.put("protocol", response.protocolName());
            reply.put("assignment", hex(response.assignment()));
        });
        try {
            take(groups.classicGroupSync(context(command), request, future));
        } catch (RuntimeException error) {
            future.complete(new SyncGroupResponseData().setErrorCode(Errors.forException(error).code()));
        }
    }

    void beat(int ticket, JsonNode command) throws Exception {
        HeartbeatRequestData request = new HeartbeatRequestData()
            .setGroupId(GROUP)
            .setMemberId(idOf(command))
            .setGenerationId(command.get("generation").asInt())
            .setGroupInstanceId(orNull(command, "instance"));
        try {
            var result = groups.classicGroupHeartbeat(context(command), request);
            take(result);
            reply(ticket, "beat", result.response().errorCode());
        } catch (RuntimeException error) {
            reply(ticket, "beat", Errors.forException(error).code());
        }
    }

    void leave(int ticket, JsonNode command) throws Exception {
        LeaveGroupRequestData request = new LeaveGroupRequestData().setGroupId(GROUP);
        for (JsonNode each : command.get("members")) {
            request.members().add(new LeaveGroupRequestData.MemberIdentity()
                .setMemberId(idOf(each)).setGroupInstanceId(orNull(each, "instance")));
        }
        try {
            var result = groups.classicGroupLeave(context(command), request);
            take(result);
            ArrayNode errors = reply(ticket, "leave", result.response().errorCode()).putArray("members");
            result.response().members().forEach(member -> errors.add(member.errorCode()));
        } catch (RuntimeException error) {
            // As the service in front of it answers for a group that is not there.
            ArrayNode errors = reply(ticket, "leave", 0).putArray("members");
            request.members().forEach(member -> errors.add(Errors.forException(error).code()));
        }
    }

    void commit(int ticket, JsonNode command) throws Exception {
        OffsetCommitRequestData request = new OffsetCommitRequestData()
            .setGroupId(GROUP)
            .setMemberId(idOf(command))
            .setGenerationIdOrMemberEpoch(command.get("generation").asInt())
            .setGroupInstanceId(orNull(command, "instance"))
            .setRetentionTimeMs(command.get("retention").asLong());
        request.topics().add(new OffsetCommitRequestData.OffsetCommitRequestTopic().setName(command.get("topic").asText()).setPartitions(List.of(
            new OffsetCommitRequestData.OffsetCommitRequestPartition()
                .setPartitionIndex(command.get("partition").asInt()).setCommittedOffset(command.get("offset").asLong()).setCommittedMetadata("note"))));
        try {
            var result = offsets.commitOffset(context(command), request);
            take(result);
            reply(ticket, "commit", result.response().topics().get(0).partitions().get(0).errorCode());
        } catch (RuntimeException error) {
            reply(ticket, "commit", Errors.forException(error).code());
        }
    }

    void fetch(int ticket) {
        List<String> committed = new ArrayList<>();
        offsets.fetchAllOffsets(new OffsetFetchRequestData.OffsetFetchRequestGroup().setGroupId(GROUP), Long.MAX_VALUE)
            .topics().forEach(topic -> topic.partitions().forEach(partition -> committed.add(topic.name() + ":"
                + partition.partitionIndex() + "=" + partition.committedOffset() + " " + partition.metadata())));
        committed.sort(null);
        ArrayNode list = reply(ticket, "fetch", 0).putArray("offsets");
        committed.forEach(list::add);
    }

    void deleteOffsets(int ticket, JsonNode command) {
        OffsetDeleteRequestData request = new OffsetDeleteRequestData().setGroupId(GROUP);
        for (JsonNode topic : command.get("topics")) {
            OffsetDeleteRequestData.OffsetDeleteRequestTopic each =
                new OffsetDeleteRequestData.OffsetDeleteRequestTopic().setName(topic.asText());
            for (int i = 0; i < 2; i++) each.partitions().add(
                new OffsetDeleteRequestData.OffsetDeleteRequestPartition().setPartitionIndex(i));
            request.topics().add(each);
        }
        try {
            var result = offsets.deleteOffsets(request);
            take(result);
            ArrayNode errors = reply(ticket, "deleteOffsets", result.response().errorCode()).putArray("partitions");
            result.response().topics().forEach(topic ->
                topic.partitions().forEach(partition -> errors.add((int) partition.errorCode())));
        } catch (RuntimeException error) {
            reply(ticket, "deleteOffsets", Errors.forException(error).code()).putArray("partitions");
        }
    }

    void describeGroup(int ticket, JsonNode command) throws Exception {
        var group = groups.describeGroups(context(command), List.of(GROUP), Long.MAX_VALUE).get(0);
        ObjectNode reply = reply(ticket, "describe", group.errorCode());
        reply.put("message", group.errorMessage()).put("state", group.groupState());
        reply.put("type", group.protocolType()).put("protocol", group.protocolData());
        List<String> members = new ArrayList<>();
        group.members().forEach(member -> members.add(String.join(" ", nameOf(member.memberId()),
            String.valueOf(member.groupInstanceId()), member.clientId(), member.clientHost(),
            hex(member.memberMetadata()), hex(member.memberAssignment()))));
        members.sort(null);
        ArrayNode list = reply.putArray("members");
        members.forEach(list::add);
    }

    void list(int ticket, JsonNode command) {
        Set<String> states = new HashSet<>();
        command.get("states").forEach(state -> states.add(state.asText()));
        ArrayNode list = reply(ticket, "list", 0).putArray("groups");
        groups.listGroups(states, Set.of(), Long.MAX_VALUE).forEach(group -> list.add(String.join(" ",
            group.groupId(), group.protocolType(), group.groupState(), group.groupType())));
    }

    // As GroupCoordinatorShard does it.
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

    // As GroupCoordinatorShard does it.
    void clean() {
        List<CoordinatorRecord> records = new ArrayList<>();
        for (String groupId : groups.groupIds()) {
            if (offsets.cleanupExpiredOffsets(groupId, records)) groups.maybeDeleteGroup(groupId, records);
        }
        take(new CoordinatorResult<>(records));
    }

    AuthorizableRequestContext context(JsonNode command) throws Exception {
        InetAddress address = InetAddress.getByAddress(new byte[] {127, 0, 0, 1});
        int version = command.get("version").asInt();
        String clientId = command.path("who").asText("client");
        return (AuthorizableRequestContext) Proxy.newProxyInstance(getClass().getClassLoader(),
            new Class<?>[] {AuthorizableRequestContext.class}, (proxy, method, args) -> switch (method.getName()) {
                case "requestVersion" -> version;
                case "clientId" -> clientId;
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
        ClassicGroup group = group();
        if (group == null) return JSON.nullNode();
        ObjectNode state = JSON.createObjectNode();
        state.put("state", group.currentState().toString());
        state.put("generation", group.generationId());
        state.put("type", group.protocolType().orElse(null));
        state.put("protocol", group.protocolName().orElse(null));
        List<String> members = new ArrayList<>();
        for (ClassicGroupMember member : group.allMembers()) {
            members.add(nameOf(member.memberId()) + " " + hex(member.assignment())
                + (member.isAwaitingJoin() ? " joins" : "") + (member.isAwaitingSync() ? " syncs" : ""));
        }
        members.sort(null);
        ArrayNode list = state.putArray("members");
        members.forEach(list::add);
        state.put("pendingJoin", group.numPendingJoinMembers());
        // A static member that came back leaves its old id here; nothing answers to it.
        group.allPendingSyncMembers().removeIf(id -> !group.hasMember(id));
        state.put("pendingSync", group.allPendingSyncMembers().size());
        // Kafka keeps this across generations; it lengthens the next first join phase, for no one's sake.
        if (!group.isInState(ClassicGroupState.PREPARING_REBALANCE)) group.setNewMemberAdded(false);
        return state;
    }

    void agreeOnLeader(String leader) {
        ClassicGroup group = group();
        if (group == null || leader.isEmpty() || group.leaderOrNull() == null) return;
        if (nameOf(group.leaderOrNull()).equals(leader)) return;
        for (String id : group.allMemberIds()) if (nameOf(id).equals(leader)) group.setLeaderId(Optional.of(id));
    }

    ClassicGroup group() {
        try {
            return groups.classicGroup(GROUP, Long.MAX_VALUE);
        } catch (RuntimeException absent) {
            return null;
        }
    }

    JsonNode describe(CoordinatorRecord record) {
        ObjectNode said = JSON.createObjectNode();
        said.put("version", record.value() == null ? -1 : record.value().version());
        if (record.value() == null) {
            said.put("gone", record.key() instanceof OffsetCommitKey key ? key.topic() + ":" + key.partition() : "group");
        } else if (record.key() instanceof GroupMetadataKey) {
            GroupMetadataValue value = (GroupMetadataValue) record.value().message();
            said.put("generation", value.generation()).put("type", value.protocolType()).put("protocol", value.protocol());
            said.put("since", value.currentStateTimestamp());
            List<String> members = new ArrayList<>();
            for (GroupMetadataValue.MemberMetadata member : value.members()) {
                members.add(String.join(" ", nameOf(member.memberId()), String.valueOf(member.groupInstanceId()), member.clientId(),
                    member.clientHost(), String.valueOf(member.rebalanceTimeout()), String.valueOf(member.sessionTimeout()),
                    hex(member.subscription()), hex(member.assignment())));
            }
            members.sort(null);
            ArrayNode list = said.putArray("members");
            members.forEach(list::add);
        } else {
            OffsetCommitValue value = (OffsetCommitValue) record.value().message();
            OffsetCommitKey key = (OffsetCommitKey) record.key();
            said.put("where", key.topic() + ":" + key.partition());
            said.put("offset", value.offset()).put("metadata", value.metadata()).put("epoch", value.leaderEpoch());
            said.put("committed", value.commitTimestamp()).put("expires", value.expireTimestamp());
        }
        return said;
    }

    String idOf(JsonNode command) {
        String who = command.get("who").asText();
        return switch (command.get("id").asText()) {
            case "own" -> ids.getOrDefault(who, "bogus");
            case "old" -> oldIds.getOrDefault(who, "bogus");
            case "none" -> "";
            default -> "bogus";
        };
    }

    static String nameOf(String id) {
        return id.length() > 37 ? id.substring(0, id.length() - 37) : id;
    }

    static String orNull(JsonNode node, String field) {
        return node.path(field).isTextual() ? node.get(field).asText() : null;
    }

    static String hex(byte[] bytes) {
        return bytes == null ? "" : java.util.HexFormat.of().formatHex(bytes);
    }

    static byte[] unhex(String text) {
        return java.util.HexFormat.of().parseHex(text);
    }
}
