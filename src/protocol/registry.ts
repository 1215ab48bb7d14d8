// Every described message by name, whatever its kind: for tools that print bytes and for tests that must
// miss none. Programs that speak import the table they mean instead.

import { assert } from '../lib/assert.ts'
import { apis } from './apis.ts'
import { groupRecords, shareRecords, transactionRecords } from './coordinator_records.ts'
import type { CoordinatorRecord, Message } from './dsl.ts'
import { ConsumerProtocolAssignment, ConsumerProtocolSubscription } from './embedded.ts'
import { RequestHeader, ResponseHeader } from './headers.ts'
import { DefaultPrincipalData } from './messages/security.ts'
import * as control from './records/control.ts'
import * as files from './records/files.ts'
import * as metadata from './records/metadata.ts'
import * as remoteLog from './records/remote_log.ts'

/** Every message, ordered by name: module namespaces have no order that every loader keeps. */
export const messages: ReadonlyMap<string, Message> = gather()

function gather(): Map<string, Message> {
  const coordinators: CoordinatorRecord[] = [
    groupRecords,
    transactionRecords,
    shareRecords,
  ].flatMap((tables) => Object.values<CoordinatorRecord>(tables))
  const all: Message[] = [
    ...[...apis.values()].flatMap(({ request, response }) => [request, response]),
    RequestHeader,
    ResponseHeader,
    ConsumerProtocolSubscription,
    ConsumerProtocolAssignment,
    DefaultPrincipalData,
    ...Object.values<Message>(metadata),
    ...coordinators.flatMap(({ key, value }) => [key, value]),
    ...Object.values<Message>(control),
    ...Object.values<Message>(files),
    ...Object.values<Message>(remoteLog),
  ]
  all.sort((a, b) => (a.name < b.name ? -1 : 1))
  const byName = new Map(all.map((message) => [message.name, message]))
  assert(byName.size === all.length, 'two messages share a name')
  return byName
}
