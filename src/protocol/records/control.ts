// Control records: what a control batch holds. The key says the type (ControlRecordTypeSchema, always read
// at version 0), the value is one of the messages below. KRaft writes the first five, transactions the marker.
// Kafka: ControlRecordType; KIP-98, KIP-595, KIP-630, KIP-853.

import { array, data, int16, int32, int64Wide, string, struct, uint16, uuid } from '../dsl.ts'

export const ControlRecordTypeSchema = data(
  'ControlRecordTypeSchema',
  { valid: '0' },
  {
    type: int16(),
  },
)

export const EndTxnMarker = data(
  'EndTxnMarker',
  { valid: '0' },
  {
    coordinatorEpoch: int32(),
  },
)

const voter = {
  voterId: int32(),
  voterDirectoryId: uuid({ v: '1+' }),
}

export const LeaderChangeMessage = data(
  'LeaderChangeMessage',
  { valid: '0-1', flexible: '0+' },
  {
    version: int16(),
    leaderId: int32(),
    voters: array(voter),
    grantingVoters: array(voter),
  },
)

export const SnapshotHeaderRecord = data(
  'SnapshotHeaderRecord',
  { valid: '0', flexible: '0+' },
  {
    version: int16(),
    lastContainedLogTimestamp: int64Wide(),
  },
)

export const SnapshotFooterRecord = data(
  'SnapshotFooterRecord',
  { valid: '0', flexible: '0+' },
  {
    version: int16(),
  },
)

export const KRaftVersionRecord = data(
  'KRaftVersionRecord',
  { valid: '0', flexible: '0+' },
  {
    version: int16(),
    kRaftVersion: int16(),
  },
)

export const VotersRecord = data(
  'VotersRecord',
  { valid: '0', flexible: '0+' },
  {
    version: int16(),
    voters: array({
      voterId: int32(),
      voterDirectoryId: uuid(),
      endpoints: array({
        name: string(),
        host: string(),
        port: uint16(),
      }),
      kRaftVersionFeature: struct({
        minSupportedVersion: int16(),
        maxSupportedVersion: int16(),
      }),
    }),
  },
)
