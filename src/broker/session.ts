// Session: who is on a connection, what they said about themselves, and through which listener they came.

import type { ConnId } from '../plane/plane.ts'

export interface Listener {
  /** The number the plane knows it by. */
  readonly number: number
  readonly name: string
  readonly isController: boolean
  /** As bound. */
  readonly host: string
  readonly port: number
  /** As told to clients and other nodes. */
  readonly advertisedHost: string
  readonly advertisedPort: number
  /** Kafka's SecurityProtocol id: 0 PLAINTEXT. */
  readonly securityProtocol: number
}

export interface Session {
  readonly conn: ConnId
  readonly listener: Listener
  readonly peerHost: string
  readonly peerPort: number
  clientSoftwareName: string
  clientSoftwareVersion: string
}
