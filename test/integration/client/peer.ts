// A broker that misbehaves as a test asks it to: it answers frames with whatever bytes the script gives.

import { createServer, type Server, type Socket } from 'node:net'
import { Reader } from '../../../src/lib/bytes.ts'
import { encodeResponseFrame } from '../../../src/protocol/headers.ts'
import { ApiVersions } from '../../../src/protocol/messages/metadata.ts'

/** A request as it came. */
export interface Asked {
  readonly apiKey: number
  readonly version: number
  readonly correlationId: number
  readonly socket: Socket
}

/** What to answer: bytes, or nothing. */
export type Script = (asked: Asked) => Uint8Array | null

/** Listens on a free port and follows the script. */
export class Peer implements AsyncDisposable {
  readonly asked: Asked[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(script: Script) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      let buffered = Buffer.alloc(0)
      socket.on('data', (bytes) => {
        buffered = Buffer.concat([buffered, bytes])
        while (buffered.length >= 4 && buffered.length >= 4 + buffered.readInt32BE(0)) {
          const reader = new Reader(buffered, 4)
          const [apiKey, version, correlationId] = [reader.int16(), reader.int16(), reader.int32()]
          buffered = buffered.subarray(4 + buffered.readInt32BE(0))
          const asked = { apiKey, version, correlationId, socket }
          this.asked.push(asked)
          const answer = script(asked)
          if (answer !== null) socket.write(answer)
        }
      })
    })
  }

  static async start(script: Script): Promise<Peer> {
    const peer = new Peer(script)
    await new Promise<void>((resolve) => peer.#server.listen(0, '127.0.0.1', resolve))
    return peer
  }

  get endpoint(): { host: string; port: number } {
    return { host: '127.0.0.1', port: (this.#server.address() as { port: number }).port }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }
}

/** The answer to ApiVersions in `version`, with these apis. */
export function versionsFrame(
  correlationId: number,
  version: number,
  apis: readonly (readonly [key: number, min: number, max: number])[],
  errorCode = 0,
): Uint8Array {
  return encodeResponseFrame(ApiVersions, version, correlationId, {
    errorCode,
    apiKeys: apis.map(([apiKey, minVersion, maxVersion]) => ({ apiKey, minVersion, maxVersion })),
  })
}
