// What a broker's settings say to the plane as a whole, at start and whenever they change. What they say about
// partitions goes with the partitions (publisher.ts).
// Kafka: DynamicLogConfig.reconfigure, SocketServer.reconfigure, ConnectionQuotas.updateMaxConnectionsPerIp, updateMaxConnectionsPerIpOverride.

import type { BrokerConfig } from '../config/config.ts'
import { derive } from '../config/derive.ts'
import type { ConnectionLimits } from '../plane/plane.ts'

/** Limits of connections, addresses in the form in which peers are shown. */
export function connectionLimits(config: BrokerConfig): ConnectionLimits {
  const { maxConnectionsOf } = derive(config).derived
  const pairs = [...maxConnectionsOf].flatMap(([host, most]) =>
    addressesOf(host).map((address) => [address, Math.max(0, most)] as const),
  )
  return {
    total: config.get('max.connections'),
    perAddress: config.get('max.connections.per.ip'),
    byAddress: new Map(pairs),
  }
}

/** Paths of the directories that take no new partitions; `*` stands for all. */
export function cordonedLogDirs(config: BrokerConfig): readonly string[] {
  const cordoned = config.get('cordoned.log.dirs')
  return cordoned.includes('*') ? derive(config).derived.logDirs : cordoned
}

/** An IPv6 address may be written in several ways, and peers are shown in the shortest (RFC 5952). */
function addressesOf(host: string): string[] {
  if (host.toLowerCase() === 'localhost') return ['127.0.0.1', '::1']
  return [host.includes(':') ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host]
}
