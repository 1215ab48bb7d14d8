// Every error of the protocol, one row each: code, name, whether a client should try again, and what it
// means. Errors are values that machines return, never exceptions (DESIGN §9). C++ gets the codes from
// native/gen/errors.h. Kafka: org.apache.kafka.common.protocol.Errors.

const ROWS = [
  [-1, 'UNKNOWN_SERVER_ERROR', false, 'The server failed in a way it had no name for'],
  [0, 'NONE', false, 'No error'],
  [1, 'OFFSET_OUT_OF_RANGE', false, 'The offset is outside of what the partition holds'],
  [2, 'CORRUPT_MESSAGE', true, 'The bytes fail their checksum or break the record format'],
  [3, 'UNKNOWN_TOPIC_OR_PARTITION', true, 'This node hosts no such topic or partition'],
  [4, 'INVALID_FETCH_SIZE', false, 'The fetch size is not allowed'],
  [5, 'LEADER_NOT_AVAILABLE', true, 'The partition has no leader at the moment'],
  [6, 'NOT_LEADER_OR_FOLLOWER', true, 'This node neither leads nor follows the partition'],
  [7, 'REQUEST_TIMED_OUT', true, 'The request did not finish in its time'],
  [8, 'BROKER_NOT_AVAILABLE', false, 'The broker is not there'],
  [9, 'REPLICA_NOT_AVAILABLE', true, 'The replica is not there'],
  [10, 'MESSAGE_TOO_LARGE', false, 'The batch is larger than the topic allows'],
  [11, 'STALE_CONTROLLER_EPOCH', false, 'The controller epoch is an old one'],
  [12, 'OFFSET_METADATA_TOO_LARGE', false, 'The metadata string of the offset is too long'],
  [13, 'NETWORK_EXCEPTION', true, 'The connection broke before the answer came'],
  [14, 'COORDINATOR_LOAD_IN_PROGRESS', true, 'The coordinator is still loading its log'],
  [15, 'COORDINATOR_NOT_AVAILABLE', true, 'The coordinator is not there'],
  [16, 'NOT_COORDINATOR', true, 'This node is not the coordinator of the key'],
  [
    17,
    'INVALID_TOPIC_EXCEPTION',
    false,
    'The topic name is not a legal one, or the topic may not be touched',
  ],
  [18, 'RECORD_LIST_TOO_LARGE', false, 'The batches of the request are larger than a segment'],
  [19, 'NOT_ENOUGH_REPLICAS', true, 'Fewer replicas are in sync than the topic demands'],
  [
    20,
    'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
    true,
    'Written, but fewer replicas are in sync than the topic demands',
  ],
  [21, 'INVALID_REQUIRED_ACKS', false, 'Acks must be -1, 0 or 1'],
  [22, 'ILLEGAL_GENERATION', false, "The generation is not the group's present one"],
  [23, 'INCONSISTENT_GROUP_PROTOCOL', false, 'The member shares no protocol with the group'],
  [24, 'INVALID_GROUP_ID', false, 'The group id is not a legal one'],
  [25, 'UNKNOWN_MEMBER_ID', false, 'The coordinator knows no such member'],
  [26, 'INVALID_SESSION_TIMEOUT', false, 'The session timeout is outside of the allowed range'],
  [27, 'REBALANCE_IN_PROGRESS', false, 'The group is rebalancing; join again'],
  [28, 'INVALID_COMMIT_OFFSET_SIZE', false, 'The offsets of the commit are too many bytes'],
  [29, 'TOPIC_AUTHORIZATION_FAILED', false, 'The topic may not be used by this principal'],
  [30, 'GROUP_AUTHORIZATION_FAILED', false, 'The group may not be used by this principal'],
  [31, 'CLUSTER_AUTHORIZATION_FAILED', false, 'The cluster may not be used so by this principal'],
  [32, 'INVALID_TIMESTAMP', false, 'The timestamp is out of the allowed range'],
  [33, 'UNSUPPORTED_SASL_MECHANISM', false, 'The SASL mechanism is not offered here'],
  [34, 'ILLEGAL_SASL_STATE', false, 'The request does not fit the state of the SASL exchange'],
  [35, 'UNSUPPORTED_VERSION', false, 'The version of the request is not spoken here'],
  [36, 'TOPIC_ALREADY_EXISTS', false, 'A topic of this name exists'],
  [37, 'INVALID_PARTITIONS', false, 'The number of partitions is not allowed'],
  [38, 'INVALID_REPLICATION_FACTOR', false, 'The replication factor is not possible'],
  [39, 'INVALID_REPLICA_ASSIGNMENT', false, 'The replica assignment is not possible'],
  [40, 'INVALID_CONFIG', false, 'The configuration is not a legal one'],
  [41, 'NOT_CONTROLLER', true, 'This node is not the active controller'],
  [42, 'INVALID_REQUEST', false, 'The request contradicts itself or breaks the protocol'],
  [43, 'UNSUPPORTED_FOR_MESSAGE_FORMAT', false, 'The message format cannot do this'],
  [44, 'POLICY_VIOLATION', false, 'A policy refuses the request'],
  [45, 'OUT_OF_ORDER_SEQUENCE_NUMBER', false, 'The sequence number is not the one that follows'],
  [46, 'DUPLICATE_SEQUENCE_NUMBER', false, 'The sequence number was seen before'],
  [47, 'INVALID_PRODUCER_EPOCH', false, 'The producer epoch is an old one'],
  [48, 'INVALID_TXN_STATE', false, 'The transaction is not in a state that allows this'],
  [
    49,
    'INVALID_PRODUCER_ID_MAPPING',
    false,
    'The producer id does not belong to the transactional id',
  ],
  [50, 'INVALID_TRANSACTION_TIMEOUT', false, 'The transaction timeout is longer than allowed'],
  [51, 'CONCURRENT_TRANSACTIONS', true, 'The last transaction is still being finished'],
  [52, 'TRANSACTION_COORDINATOR_FENCED', false, 'The coordinator that sent this has been replaced'],
  [
    53,
    'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
    false,
    'The transactional id may not be used by this principal',
  ],
  [54, 'SECURITY_DISABLED', false, 'Security is switched off here'],
  [55, 'OPERATION_NOT_ATTEMPTED', false, 'Not tried, because something before it failed'],
  [56, 'KAFKA_STORAGE_ERROR', true, 'The disk failed'],
  [57, 'LOG_DIR_NOT_FOUND', false, 'The log directory is not known here'],
  [58, 'SASL_AUTHENTICATION_FAILED', false, 'The credentials are wrong'],
  [59, 'UNKNOWN_PRODUCER_ID', false, 'The producer id is not known to the partition'],
  [60, 'REASSIGNMENT_IN_PROGRESS', false, 'The partition is being reassigned'],
  [61, 'DELEGATION_TOKEN_AUTH_DISABLED', false, 'Delegation tokens are switched off here'],
  [62, 'DELEGATION_TOKEN_NOT_FOUND', false, 'There is no such delegation token'],
  [63, 'DELEGATION_TOKEN_OWNER_MISMATCH', false, 'The token belongs to somebody else'],
  [
    64,
    'DELEGATION_TOKEN_REQUEST_NOT_ALLOWED',
    false,
    'Tokens cannot be asked for over this connection',
  ],
  [
    65,
    'DELEGATION_TOKEN_AUTHORIZATION_FAILED',
    false,
    'The token may not be used by this principal',
  ],
  [66, 'DELEGATION_TOKEN_EXPIRED', false, 'The token has expired'],
  [67, 'INVALID_PRINCIPAL_TYPE', false, 'The principal type is not allowed'],
  [68, 'NON_EMPTY_GROUP', false, 'The group is not empty'],
  [69, 'GROUP_ID_NOT_FOUND', false, 'There is no such group'],
  [70, 'FETCH_SESSION_ID_NOT_FOUND', true, 'There is no such fetch session'],
  [71, 'INVALID_FETCH_SESSION_EPOCH', true, 'The fetch session epoch is not the one that follows'],
  [72, 'LISTENER_NOT_FOUND', true, 'The leader has no listener of the name the client came by'],
  [73, 'TOPIC_DELETION_DISABLED', false, 'Topics may not be deleted here'],
  [74, 'FENCED_LEADER_EPOCH', true, 'The leader epoch is an old one'],
  [75, 'UNKNOWN_LEADER_EPOCH', true, "The leader epoch is newer than this node's"],
  [76, 'UNSUPPORTED_COMPRESSION_TYPE', false, 'The compression is not allowed at this version'],
  [77, 'STALE_BROKER_EPOCH', false, 'The broker epoch is an old one'],
  [78, 'OFFSET_NOT_AVAILABLE', true, 'The leader is new and cannot answer for offsets yet'],
  [79, 'MEMBER_ID_REQUIRED', false, 'Join again, with the member id given'],
  [80, 'PREFERRED_LEADER_NOT_AVAILABLE', true, 'The preferred leader is not there'],
  [81, 'GROUP_MAX_SIZE_REACHED', false, 'The group is full'],
  [82, 'FENCED_INSTANCE_ID', false, 'Another member has taken the instance id'],
  [83, 'ELIGIBLE_LEADERS_NOT_AVAILABLE', true, 'No replica that may lead is there'],
  [84, 'ELECTION_NOT_NEEDED', true, 'The leader is already the right one'],
  [85, 'NO_REASSIGNMENT_IN_PROGRESS', false, 'No reassignment is under way'],
  [86, 'GROUP_SUBSCRIBED_TO_TOPIC', false, 'The group still consumes the topic'],
  [87, 'INVALID_RECORD', false, 'A record breaks the rules of the topic'],
  [88, 'UNSTABLE_OFFSET_COMMIT', true, 'Offsets of unfinished transactions are in the way'],
  [89, 'THROTTLING_QUOTA_EXCEEDED', true, 'The quota of the principal is used up'],
  [90, 'PRODUCER_FENCED', false, 'A newer producer has taken the transactional id'],
  [91, 'RESOURCE_NOT_FOUND', false, 'There is no such resource'],
  [92, 'DUPLICATE_RESOURCE', false, 'The resource is named twice or exists'],
  [93, 'UNACCEPTABLE_CREDENTIAL', false, 'The credential does not meet the requirements'],
  [94, 'INCONSISTENT_VOTER_SET', false, 'The voter sets differ'],
  [95, 'INVALID_UPDATE_VERSION', false, 'The features were changed meanwhile'],
  [96, 'FEATURE_UPDATE_FAILED', false, 'The features could not be changed'],
  [97, 'PRINCIPAL_DESERIALIZATION_FAILURE', false, 'The principal in the envelope cannot be read'],
  [98, 'SNAPSHOT_NOT_FOUND', false, 'There is no such snapshot'],
  [99, 'POSITION_OUT_OF_RANGE', false, 'The position is outside of the snapshot'],
  [100, 'UNKNOWN_TOPIC_ID', true, 'This node hosts no topic of that id'],
  [101, 'DUPLICATE_BROKER_REGISTRATION', false, 'A live broker holds the broker id'],
  [102, 'BROKER_ID_NOT_REGISTERED', false, 'The broker id is not registered'],
  [103, 'INCONSISTENT_TOPIC_ID', true, 'The topic id differs from the one in the log'],
  [104, 'INCONSISTENT_CLUSTER_ID', false, 'The cluster id is another one'],
  [105, 'TRANSACTIONAL_ID_NOT_FOUND', false, 'There is no such transactional id'],
  [106, 'FETCH_SESSION_TOPIC_ID_ERROR', true, 'The fetch session mixes topic ids and names'],
  [107, 'INELIGIBLE_REPLICA', false, 'The replica may not join the in-sync set'],
  [108, 'NEW_LEADER_ELECTED', false, 'A new leader was elected instead'],
  [109, 'OFFSET_MOVED_TO_TIERED_STORAGE', false, 'The offset lives in tiered storage'],
  [110, 'FENCED_MEMBER_EPOCH', false, "The member epoch is behind the group's; rejoin"],
  [111, 'UNRELEASED_INSTANCE_ID', false, 'The instance id is still held by another member'],
  [112, 'UNSUPPORTED_ASSIGNOR', false, 'The assignor is not known here'],
  [113, 'STALE_MEMBER_EPOCH', false, 'The member epoch is an old one; heartbeat first'],
  [114, 'MISMATCHED_ENDPOINT_TYPE', false, 'The endpoint is of the other kind'],
  [115, 'UNSUPPORTED_ENDPOINT_TYPE', false, 'The endpoint kind is not known'],
  [116, 'UNKNOWN_CONTROLLER_ID', false, 'The controller id is not known'],
  [117, 'UNKNOWN_SUBSCRIPTION_ID', false, 'The telemetry subscription is an old one'],
  [118, 'TELEMETRY_TOO_LARGE', false, 'The telemetry is too large'],
  [119, 'INVALID_REGISTRATION', false, 'The registration is not acceptable'],
  [120, 'TRANSACTION_ABORTABLE', false, 'The transaction must be aborted'],
  [121, 'INVALID_RECORD_STATE', false, 'The record is not in a state that allows this'],
  [122, 'SHARE_SESSION_NOT_FOUND', true, 'There is no such share session'],
  [123, 'INVALID_SHARE_SESSION_EPOCH', true, 'The share session epoch is not the one that follows'],
  [124, 'FENCED_STATE_EPOCH', false, 'The state epoch is an old one'],
  [125, 'INVALID_VOTER_KEY', false, 'The voter key does not match'],
  [126, 'DUPLICATE_VOTER', false, 'The voter is in the set already'],
  [127, 'VOTER_NOT_FOUND', false, 'The voter is not in the set'],
  [128, 'INVALID_REGULAR_EXPRESSION', false, 'The regular expression is not a legal one'],
  [129, 'REBOOTSTRAP_REQUIRED', false, 'The client must bootstrap again'],
  [130, 'STREAMS_INVALID_TOPOLOGY', false, 'The topology is not a legal one'],
  [131, 'STREAMS_INVALID_TOPOLOGY_EPOCH', false, "The topology epoch is not the group's"],
  [132, 'STREAMS_TOPOLOGY_FENCED', false, 'A newer topology has replaced this one'],
  [133, 'SHARE_SESSION_LIMIT_REACHED', true, 'The broker has as many share sessions as it may'],
] as const

type ErrorRow = (typeof ROWS)[number]

/** The name of an error, as Kafka spells it. */
export type ErrorName = ErrorRow[1]

/** What an error code means. */
export interface ErrorMeaning {
  readonly code: number
  readonly name: ErrorName
  readonly retriable: boolean
  readonly text: string
}

/** Every error, by ascending code. */
export const errors: readonly ErrorMeaning[] = ROWS.map(([code, name, retriable, text]) => ({
  code,
  name,
  retriable,
  text,
}))

/** Codes by name: `ErrorCode.NOT_LEADER_OR_FOLLOWER`. */
export const ErrorCode = Object.freeze(
  Object.fromEntries(errors.map(({ name, code }) => [name, code])),
) as { readonly [R in ErrorRow as R[1]]: R[0] }

/** Any code of the table. */
export type ErrorCode = ErrorRow[0]

const byCode: ReadonlyMap<number, ErrorMeaning> = new Map(errors.map((row) => [row.code, row]))

/** What `code` means; codes outside of the table mean UNKNOWN_SERVER_ERROR, as for Kafka's clients. */
export function errorOf(code: number): ErrorMeaning {
  return byCode.get(code) ?? errors[0]!
}

/** The name of `code`, for logs. */
export function errorName(code: number): string {
  return byCode.get(code)?.name ?? `error ${code}`
}
