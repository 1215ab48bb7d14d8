// Stories of classic groups, told to Apache Kafka's own coordinator (Shard.java).
//
// Members go by the part of their id before the uuid. Where Kafka takes a leader in the order of a hash, it is told
// afterwards whom the other side took (`leader`), so that one arbitrary choice is not a different story from there on.

package org.apache.kafka.coordinator.group;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.kafka.common.message.HeartbeatRequestData;
import org.apache.kafka.common.message.JoinGroupRequestData;
import org.apache.kafka.common.message.JoinGroupResponseData;
import org.apache.kafka.common.message.LeaveGroupRequestData;
import org.apache.kafka.common.message.OffsetCommitRequestData;
import org.apache.kafka.common.message.OffsetDeleteRequestData;
import org.apache.kafka.common.message.OffsetFetchRequestData;
import org.apache.kafka.common.message.SyncGroupRequestData;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.coordinator.common.runtime.CoordinatorExecutor;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataImage;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.group.classic.ClassicGroup;
import org.apache.kafka.coordinator.group.classic.ClassicGroupMember;
import org.apache.kafka.coordinator.group.classic.ClassicGroupState;
import org.apache.kafka.coordinator.group.generated.GroupMetadataKey;
import org.apache.kafka.coordinator.group.generated.GroupMetadataValue;
import org.apache.kafka.coordinator.group.generated.OffsetCommitKey;
import org.apache.kafka.coordinator.group.generated.OffsetCommitValue;

public final class Coordinator extends Shard {
    final Map<String, String> oldIds = new HashMap<>();

    public static void main(String[] args) throws Exception {
        answer(command -> new Coordinator());
    }

    Coordinator() {
        load();
    }

    void load() {
        load(Map.of(), stub(CoordinatorExecutor.class), CoordinatorMetadataImage.EMPTY);
        groups.onLoaded();
    }

    @SuppressWarnings("unchecked")
    static <T> T stub(Class<?> type) {
        return (T) Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (proxy, method, args) -> false);
    }

    @Override
    void handle(int ticket, JsonNode command) throws Exception {
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
    }

    @Override
    String run(JsonNode command) throws Exception {
        String result = super.run(command);
        agreeOnLeader(command.path("leader").asText(""));
        return result;
    }

    @Override
    String clientId(JsonNode command) {
        return command.path("who").asText("client");
    }

    @Override
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
        join(command, request, response -> hearJoin(ticket, who, response));
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
        sync(command, request, response -> {
            ObjectNode reply = reply(ticket, "sync", response.errorCode());
            reply.put("type", response.protocolType());
            reply.put("protocol", response.protocolName());
            reply.put("assignment", hex(response.assignment()));
        });
    }

    void beat(int ticket, JsonNode command) throws Exception {
        HeartbeatRequestData request = new HeartbeatRequestData()
            .setGroupId(GROUP)
            .setMemberId(idOf(command))
            .setGenerationId(command.get("generation").asInt())
            .setGroupInstanceId(orNull(command, "instance"));
        beat(ticket, command, request);
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
        commit(ticket, command, request);
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
        list(ticket, states);
    }

    @Override
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

    @Override
    JsonNode told(CoordinatorRecord record) {
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
}
