// What consumers say to each other inside JoinGroup and SyncGroup: subscriptions and assignments, each
// behind a version of its own. A version newer than ours is read as our newest, since versions only
// append fields; older ones as they are. Kafka: ConsumerProtocol; KIP-429 owned partitions, KIP-792
// generation, KIP-881 rack.

import { Reader } from '../lib/bytes.ts'
import { collect, decodeFrom, encodeInto } from './codec.ts'
import {
  array,
  bytes,
  type Decoded,
  type DecodedOf,
  data,
  type Encodable,
  type EncodableOf,
  type Fields,
  int32,
  type Message,
  string,
} from './dsl.ts'

/** The protocol type of groups whose members are consumers. */
export const CONSUMER_PROTOCOL_TYPE = 'consumer'

export const ConsumerProtocolSubscription = data(
  'ConsumerProtocolSubscription',
  { valid: '0-3' },
  {
    topics: array(string()),
    userData: bytes({ nullable: true, default: null }),
    ownedPartitions: array(
      { topic: string(), partitions: array(int32()) },
      { v: '1+', ignorable: true },
    ),
    generationId: int32({ v: '2+', default: -1, ignorable: true }),
    rackId: string({ v: '3+', nullable: true, default: null, ignorable: true }),
  },
)

export const ConsumerProtocolAssignment = data(
  'ConsumerProtocolAssignment',
  { valid: '0-3' },
  {
    assignedPartitions: array({ topic: string(), partitions: array(int32()) }),
    userData: bytes({ nullable: true, default: null }),
  },
)

export type Subscription = DecodedOf<typeof ConsumerProtocolSubscription>
export type Assignment = DecodedOf<typeof ConsumerProtocolAssignment>

/** The version in front, then the subscription. */
export function decodeSubscription(bytes: Uint8Array): Subscription & { version: number } {
  return decodeVersioned(ConsumerProtocolSubscription, bytes)
}

/** The version in front, then the assignment. */
export function decodeAssignment(bytes: Uint8Array): Assignment & { version: number } {
  return decodeVersioned(ConsumerProtocolAssignment, bytes)
}

export function encodeSubscription(
  version: number,
  value: EncodableOf<typeof ConsumerProtocolSubscription>,
): Uint8Array {
  return encodeVersioned(ConsumerProtocolSubscription, version, value)
}

export function encodeAssignment(
  version: number,
  value: EncodableOf<typeof ConsumerProtocolAssignment>,
): Uint8Array {
  return encodeVersioned(ConsumerProtocolAssignment, version, value)
}

function decodeVersioned<F extends Fields>(
  message: Message<F>,
  bytes: Uint8Array,
): Decoded<F> & { version: number } {
  const reader = new Reader(bytes)
  const version = reader.int16()
  if (version < 0) reader.fail(`a version of ${message.name}, found ${version}`)
  const value = decodeFrom(message, Math.min(version, message.valid.max), reader)
  return Object.assign(value, { version })
}

/** `message` behind its version as an int16: Kafka's version-prefixed form. */
export function encodeVersioned<F extends Fields>(
  message: Message<F>,
  version: number,
  value: Encodable<F>,
): Uint8Array {
  return collect((out) => {
    out.int16(version)
    encodeInto(message, version, value, out)
  })
}
