// Our own keys: what this broker has and Kafka's does not. All of them begin with `ottla.`, all are
// read at start only, and none changes what a client sees, so a file that sets them still starts
// Kafka, which warns of unknown keys.

import type { ValuesOf } from './rows.ts'
import { boolean, effective, int, long, string } from './rows.ts'

/** Every key of our own. */
export const ottlaTable = {
  'ottla.reactor.threads': int(0, '[0,...,64]', 'medium read-only', {
    state: effective('integration: config: reactor threads'),
    doc: 'Reactor threads that serve connections and logs; 0 is one, the choice up to four cores.',
  }),
  'ottla.io.backend': string('auto', '[auto, epoll, io_uring]', 'low read-only', {
    state: effective('integration: config: io backend'),
    doc: 'How sockets are served; auto is epoll. io_uring needs Linux 6.1, and to be allowed.',
  }),
  'ottla.produce.validate': string('header', '[header, full]', 'medium read-only', {
    state: effective('integration: config: produce validation'),
    doc: 'How much of a batch is checked before it is stored: its header, or every record.',
  }),
  'ottla.socket.congestion.control': string('', '', 'low read-only', {
    state: effective('io: kernel: sockets: congestion control and buffers are as asked'),
    doc: "TCP congestion control of accepted sockets; empty leaves the system's choice.",
  }),
  'ottla.log.preallocate.max.bytes': long(16_777_216, '[0,...]', 'low read-only', {
    state: effective('integration: config: preallocation is bounded'),
    doc: 'Most bytes allocated ahead of the end of a busy segment; 0 turns it off.',
  }),
  'ottla.allow.unenforced': boolean(false, 'medium read-only', {
    state: effective('integration: config: unenforced records are refused unless allowed'),
    doc: 'Starts although the metadata holds ACLs, credentials or quotas that nothing enforces.',
  }),
}

export type OttlaKey = keyof typeof ottlaTable
export type OttlaValues = ValuesOf<typeof ottlaTable>
