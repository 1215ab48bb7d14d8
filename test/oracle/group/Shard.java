// One partition of Apache Kafka's own group coordinator, driven by a script: a line of JSON for each command, and a line of
// JSON for what came of it. Time, timers and the log are ours; every decision is Kafka's. It is compiled into the package
// of Kafka's classes, since most of what it calls is not public. Coordinator.java tells stories of classic groups, and
// Consumers.java stories of consumer groups (KIP-848).

package org.apache.kafka.coordinator.group;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.common.message.HeartbeatRequestData;
import org.apache.kafka.common.message.JoinGroupRequestData;
import org.apache.kafka.common.message.JoinGroupResponseData;
import org.apache.kafka.common.message.OffsetCommitRequestData;
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
import org.apache.kafka.coordinator.group.metrics.GroupCoordinatorMetricsShard;
import org.apache.kafka.coordinator.group.modern.share.ShareGroupConfig;
import org.apache.kafka.server.authorizer.AuthorizableRequestContext;
import org.apache.kafka.timeline.SnapshotRegistry;

abstract class Shard {
    static final String GROUP = "readers";
    static final ObjectMapper JSON = new ObjectMapper();

    record Due(long deadlineMs, long sequence, CoordinatorTimer.TimeoutOperation<CoordinatorRecord> operation) {}

    long nowMs = 1_000_000;
    long sequence = 0;
    final Map<String, Due> timers = new HashMap<>();
    final List<CoordinatorRecord> log = new ArrayList<>();
    final Map<String, String> ids = new HashMap<>();
    final TreeMap<Integer, ObjectNode> replies = new TreeMap<>();
    ArrayNode stored = JSON.createArrayNode();
    GroupMetadataManager groups;
    OffsetMetadataManager offsets;

    /** Answers standard input; `reset` makes another shard. */
    static void answer(Function<JsonNode, Shard> create) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        Shard shard = null;
        StringBuilder out = new StringBuilder();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode command = JSON.readTree(line);
            if (shard == null || command.get("do").asText().equals("reset")) shard = create.apply(command);
            out.append(shard.run(command)).append('\n');
        }
        System.out.print(out);
    }

    abstract void handle(int ticket, JsonNode command) throws Exception;

    abstract void replay(CoordinatorRecord record);

    /** A record that is stored, told. */
    abstract JsonNode told(CoordinatorRecord record);

    abstract JsonNode state();

    String clientId(JsonNode command) {
        return "client";
    }

    void load(Map<String, ?> settings, CoordinatorExecutor<CoordinatorRecord> executor, CoordinatorMetadataImage image) {
        SnapshotRegistry registry = new SnapshotRegistry(new LogContext());
        AbstractConfig values = new AbstractConfig(
            Utils.mergeConfigs(List.of(GroupCoordinatorConfig.CONFIG_DEF, ShareGroupConfig.CONFIG_DEF)), settings, false);
        GroupCoordinatorConfig config = new GroupCoordinatorConfig(values);
        ShareGroupConfig share = new ShareGroupConfig(values);
        GroupCoordinatorMetricsShard metrics =
            new GroupCoordinatorMetricsShard(registry, Map.of(), new TopicPartition("__consumer_offsets", 0));
        groups = new GroupMetadataManager.Builder()
            .withSnapshotRegistry(registry)
            .withTime(time())
            .withTimer(new Timer())
            .withExecutor(executor)
            .withConfig(config)
            .withGroupConfigManager(new GroupConfigManager(Map.of(), config, share))
            .withGroupCoordinatorMetricsShard(metrics)
            .withMetadataImage(image)
            .build();
        offsets = new OffsetMetadataManager(registry, new LogContext(), time(), CoordinatorMetadataImage.EMPTY,
            groups, config, metrics);
        for (CoordinatorRecord record : log) replay(record);
    }

    Time time() {
        return (Time) Proxy.newProxyInstance(Time.class.getClassLoader(), new Class<?>[] {Time.class},
            (proxy, method, args) -> method.getName().equals("milliseconds") ? (Object) nowMs : (Object) (nowMs * 1_000_000));
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
        handle(command.path("ticket").asInt(), command);
        ObjectNode result = JSON.createObjectNode();
        ArrayNode heard = result.putArray("replies");
        replies.values().forEach(heard::add);
        result.set("stored", stored);
        result.set("group", state());
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
            stored.add(told(record));
            if (result.replayRecords()) replay(record);
        }
        if (result.appendFuture() != null) result.appendFuture().complete(null);
    }

    void join(JsonNode command, JoinGroupRequestData request, Consumer<JoinGroupResponseData> heard) throws Exception {
        CompletableFuture<JoinGroupResponseData> future = new CompletableFuture<>();
        future.thenAccept(heard);
        try {
            take(groups.classicGroupJoin(context(command), request, future));
        } catch (RuntimeException error) {
            future.complete(new JoinGroupResponseData().setErrorCode(Errors.forException(error).code()));
        }
    }

    void sync(JsonNode command, SyncGroupRequestData request, Consumer<SyncGroupResponseData> heard) throws Exception {
        command.get("assignments").fields().forEachRemaining(entry -> request.assignments().add(
            new SyncGroupRequestData.SyncGroupRequestAssignment()
                .setMemberId(ids.getOrDefault(entry.getKey(), "bogus")).setAssignment(unhex(entry.getValue().asText()))));
        CompletableFuture<SyncGroupResponseData> future = new CompletableFuture<>();
        future.thenAccept(heard);
        try {
            take(groups.classicGroupSync(context(command), request, future));
        } catch (RuntimeException error) {
            future.complete(new SyncGroupResponseData().setErrorCode(Errors.forException(error).code()));
        }
    }

    void beat(int ticket, JsonNode command, HeartbeatRequestData request) throws Exception {
        String kind = command.get("do").asText();
        try {
            var result = groups.classicGroupHeartbeat(context(command), request);
            take(result);
            reply(ticket, kind, result.response().errorCode());
        } catch (RuntimeException error) {
            reply(ticket, kind, Errors.forException(error).code());
        }
    }

    void commit(int ticket, JsonNode command, OffsetCommitRequestData request) throws Exception {
        try {
            var result = offsets.commitOffset(context(command), request);
            take(result);
            reply(ticket, "commit", result.response().topics().get(0).partitions().get(0).errorCode());
        } catch (RuntimeException error) {
            reply(ticket, "commit", Errors.forException(error).code());
        }
    }

    void list(int ticket, Set<String> states) {
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
        int version = command.path("version").asInt(1);
        String clientId = clientId(command);
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

    static String orNull(JsonNode node, String field) {
        return node.path(field).isTextual() ? node.get(field).asText() : null;
    }

    static String hex(byte[] bytes) {
        return bytes == null ? "" : HexFormat.of().formatHex(bytes);
    }

    static byte[] unhex(String text) {
        return HexFormat.of().parseHex(text);
    }
}
