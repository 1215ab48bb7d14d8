// Producer ids for this broker's clients: taken from the controller a block at a time, handed out one by one.
// Invariant: an id is handed out once; a block is used only after the controller committed it.
// Kafka: RPCProducerIdManager; KIP-730.

import type { ControllerHost } from '../host/controller_host.ts'
import { ErrorCode } from '../protocol/errors.ts'

/** Hands out producer ids. */
export class ProducerIdSource {
  private readonly controller: ControllerHost
  private readonly identity: () => { brokerId: number; brokerEpoch: number }
  private next = 0
  private end = 0
  private refill: Promise<number> | null = null

  constructor(
    controller: ControllerHost,
    identity: () => { brokerId: number; brokerEpoch: number },
  ) {
    this.controller = controller
    this.identity = identity
  }

  /** A fresh id, or the error that kept the controller from giving a block. */
  async take(): Promise<{ producerId: number } | { errorCode: number }> {
    while (this.next >= this.end) {
      this.refill ??= this.fetchBlock().finally(() => {
        this.refill = null
      })
      const errorCode = await this.refill
      if (errorCode !== ErrorCode.NONE) return { errorCode }
    }
    return { producerId: this.next++ }
  }

  private async fetchBlock(): Promise<number> {
    const request = this.identity()
    const { response } = await this.controller.submit<'allocateProducerIds'>({
      kind: 'allocateProducerIds',
      version: 0,
      request,
    })
    const errorCode = response.errorCode ?? ErrorCode.NONE
    if (errorCode !== ErrorCode.NONE) return ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    this.next = response.producerIdStart ?? 0
    this.end = this.next + (response.producerIdLen ?? 0)
    return ErrorCode.NONE
  }
}
