// Our own keys: what this broker has and Kafka's does not. All of them begin with `ottla.`, so a file
// that sets them still starts Kafka, which warns of unknown keys. Those of topics Kafka's brokers
// keep without knowing them; its kafka-topics.sh refuses them, its kafka-configs.sh does not.

import type { ValuesOf } from './rows.ts'
import { boolean, effective, int, long, string } from './rows.ts'

/** Every key of our own. */
export const ottlaTable = {
  'ottla.reactor.threads': int(0, '[0,...,64]', 'medium read-only', {
    state: effective('integration: config: reactor threads'),
    doc: 'Reactor threads that serve connections and logs; 0 is one, the choice up to four cores.',
  }),
  'ottla.reactor.spin.us': int(50, '[0,...,1000]', 'low read-only', {
    state: effective(
      'reactor: spin: between short waits it does not sleep, and after a long one it does',
    ),
    doc: 'Most microseconds that a busy reactor looks for the next request before it sleeps; 0 is at once. Never with one core.',
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
  'ottla.log.open.files.max': int(0, '[0,...]', 'medium read-only', {
    state: effective('integration: config: open files are bounded'),
    doc: 'Most files of logs kept open; 0 is three quarters of the descriptors that the process may have, at most 32768.',
  }),
  'ottla.log.dir.reserve.bytes': long(268_435_456, '[0,...]', 'high cluster-wide', {
    state: effective('integration: config: clients leave the reserve of a disk to the broker'),
    doc: 'Free bytes of a disk that are kept for offsets, markers and deletions: with no more than these, produce is refused. 0 is none.',
  }),
  'ottla.log.dir.reserve.max.percent': int(5, '[0,...,100]', 'medium cluster-wide', {
    state: effective('integration: config: clients leave the reserve of a disk to the broker'),
    doc: 'Share of a disk, in percent, that its reserve is at most; the low mark is at most twice as much.',
  }),
  'ottla.log.dir.low.bytes': long(536_870_912, '[0,...]', 'medium cluster-wide', {
    state: effective('integration: config: a low disk loses the segments that are due first'),
    doc: 'Free bytes of a disk below which topics that allow it lose their oldest segments before their time.',
  }),
  'ottla.log.early.retention.ms': long(-1, '[-1,...]', 'medium cluster-wide', {
    state: effective('integration: config: a low disk loses the segments that are due first'),
    doc: 'Time in ms that records stay even when their disk is low; -1 is as long as retention says.',
  }),
  'ottla.allow.unenforced': boolean(false, 'medium read-only', {
    state: effective('integration: config: unenforced records are refused unless allowed'),
    doc: 'Starts although the metadata holds ACLs, credentials or quotas that nothing enforces.',
  }),
}

/** Our own keys of a topic. */
export const ottlaTopicRows = {
  'ottla.early.retention.ms': long(-1, '[-1,...]', 'medium resource', {
    state: effective('integration: config: a low disk loses the segments that are due first'),
    doc: 'Time in ms that records stay even when their disk is low; -1 is as long as retention says.',
  }),
}

export type OttlaKey = keyof typeof ottlaTable
export type OttlaValues = ValuesOf<typeof ottlaTable>
