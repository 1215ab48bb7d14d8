// Which security protocol each listener name stands for.
//
// When nobody gave a map, controller listeners are PLAINTEXT too, unless some listener name shows
// that security is meant. Kafka: AbstractKafkaConfig.effectiveListenerSecurityProtocolMap.

import type { BrokerConfig } from './config.ts'
import type { SecurityProtocol } from './text/endpoints.ts'
import { parsePairs, SECURITY_PROTOCOLS } from './text/endpoints.ts'

type Refuse = (problem: string, allowed: string) => void

/** The protocol of every listener name, upper-cased; problems go to `refuse`. */
export function protocolMap(config: BrokerConfig, refuse: Refuse): Map<string, SecurityProtocol> {
  const key = 'listener.security.protocol.map'
  const problems: string[] = []
  const protocols = new Map<string, SecurityProtocol>()
  for (const [name, given] of parsePairs(config.get(key), problems)) {
    const protocol = SECURITY_PROTOCOLS.find((one) => one === given.toUpperCase())
    if (protocol === undefined) problems.push(`${given} is not a security protocol`)
    else protocols.set(name.toUpperCase(), protocol)
  }
  for (const problem of problems) {
    refuse(problem, `NAME:PROTOCOL pairs, the protocol one of ${SECURITY_PROTOCOLS.join(', ')}`)
  }
  if (!config.isSet(key)) addControllers(config, protocols)
  return protocols
}

function addControllers(config: BrokerConfig, protocols: Map<string, SecurityProtocol>): void {
  const controllers = config.get('controller.listener.names') ?? []
  const bound = config.get('listeners').map((one) => one.slice(0, Math.max(0, one.indexOf(':'))))
  const isSecure = (name: string) => ['SSL', 'SASL_SSL', 'SASL_PLAINTEXT'].includes(name)
  if (controllers.some(isSecure) || bound.some((name) => isSecure(name.toUpperCase()))) return
  for (const name of controllers) if (name !== 'PLAINTEXT') protocols.set(name, 'PLAINTEXT')
}
