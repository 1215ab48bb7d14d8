// SCRAM credentials by mechanism and user, and delegation tokens by id.
//
// Invariant: removing what is not there is harmless, as in Kafka: both removals are written for
// entries that may have expired meanwhile. Nothing here is ever printed.
// Kafka: ScramDelta, ScramImage, DelegationTokenDelta, DelegationTokenImage.

import { type Change, Changes } from './changes.ts'
import { SINCE } from './features.ts'
import { type RecordSink, unwritable, type ValueOf } from './record.ts'

/** One user's credential for one mechanism (1: SCRAM-SHA-256, 2: SCRAM-SHA-512). */
export type ScramCredential = Readonly<ValueOf<'UserScramCredentialRecord'>>
/** One delegation token. */
export type DelegationToken = Readonly<ValueOf<'DelegationTokenRecord'>>

const scramKey = (mechanism: number, name: string) => `${mechanism}:${name}`

/** SCRAM credentials and delegation tokens. */
export class Credentials {
  private readonly scram = new Map<string, ScramCredential>()
  private readonly tokens = new Map<string, DelegationToken>()
  private readonly scramChanges = new Changes<string, ScramCredential>()
  private readonly tokenChanges = new Changes<string, DelegationToken>()

  get scramCount(): number {
    return this.scram.size
  }

  get tokenCount(): number {
    return this.tokens.size
  }

  scramOf(mechanism: number, user: string): ScramCredential | undefined {
    return this.scram.get(scramKey(mechanism, user))
  }

  token(tokenId: string): DelegationToken | undefined {
    return this.tokens.get(tokenId)
  }

  scramValues(): IterableIterator<ScramCredential> {
    return this.scram.values()
  }

  tokenValues(): IterableIterator<DelegationToken> {
    return this.tokens.values()
  }

  replayScram(record: ValueOf<'UserScramCredentialRecord'>): void {
    const key = scramKey(record.mechanism, record.name)
    this.scramChanges.note(key, this.scram.get(key))
    this.scram.set(key, record)
  }

  replayScramRemove(record: ValueOf<'RemoveUserScramCredentialRecord'>): void {
    const key = scramKey(record.mechanism, record.name)
    this.scramChanges.note(key, this.scram.get(key))
    this.scram.delete(key)
  }

  replayToken(record: ValueOf<'DelegationTokenRecord'>): void {
    this.tokenChanges.note(record.tokenId, this.tokens.get(record.tokenId))
    this.tokens.set(record.tokenId, record)
  }

  replayTokenRemove(record: ValueOf<'RemoveDelegationTokenRecord'>): void {
    this.tokenChanges.note(record.tokenId, this.tokens.get(record.tokenId))
    this.tokens.delete(record.tokenId)
  }

  write(sink: RecordSink, metadataVersion: number): void {
    if (this.scram.size > 0 && metadataVersion < SINCE.scram) {
      unwritable('SCRAM credentials', metadataVersion)
    }
    for (const value of this.scram.values()) {
      sink({ name: 'UserScramCredentialRecord', version: 0, value })
    }
    if (this.tokens.size > 0 && metadataVersion < SINCE.delegationTokens) {
      unwritable('delegation tokens', metadataVersion)
    }
    for (const value of this.tokens.values()) {
      sink({ name: 'DelegationTokenRecord', version: 0, value })
    }
  }

  takeScramChanges(): Change<ScramCredential>[] {
    return [...this.scramChanges.take((key) => this.scram.get(key)).values()]
  }

  takeTokenChanges(): Map<string, Change<DelegationToken>> {
    return this.tokenChanges.take((id) => this.tokens.get(id))
  }
}
