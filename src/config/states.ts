// The states that many rows share: what is not built yet, what has no meaning here, and why. Each
// is written once, so that building a thing changes one line here and the rows it makes effective.

import { inert, notBuilt } from './rows.ts'

export const noSasl = notBuilt('SASL is not built', 'security')
export const noTls = notBuilt('TLS is not built', 'security')
export const noTokens = notBuilt('delegation tokens are not built', 'security')
export const noAuthorizer = notBuilt('authorization is not built', 'security')
export const noPolicies = notBuilt('policies are Java classes and cannot run here', 'security')
export const noRemote = notBuilt('remote storage is not built', 'durability')
export const noGroupCompression = notBuilt('what coordinators write is not compressed')
export const noShare = notBuilt('share groups are not built')
export const noStreams = notBuilt('streams groups are not built')
export const noFollowers = notBuilt('fetching from other brokers is not built')
export const noRebalance = notBuilt('moving leaders back to preferred replicas is not built')
export const noQuotas = notBuilt('quotas are not built', 'security')
export const noQuotaWindow = notBuilt('quotas are not built')
export const noTelemetry = notBuilt('client telemetry is not built')
export const noPeers = notBuilt('requests to other nodes are not built')
export const reactors = inert('reactors do this work; ottla.reactor.threads sets their number')
export const groupCommit = inert(
  'records that come while an append is on its way share the next one',
)
export const noBufferReuse = inert('write buffers are not kept')
export const oneThread = inert('coordinators run on the control thread')
export const signals = inert('waiting requests are woken by signal, so there is nothing to purge')
export const noJvm = inert('metrics are not read through Java reporters')
export const onlyRemote = inert('it is read only when remote storage is on, which is refused')
export const onlyKerberos = inert('it paces logins to Kerberos, and SASL is refused')
export const kafkaTests = inert("it exists for Kafka's own tests")
export const jvmTiming = inert('it times a Java thread that does not exist here')
export const openFromStart = inert(
  'there is no authorizer to wait for, so every listener opens at once',
)
export const aloneQuorum = inert('a quorum of one elects itself and follows nobody')
export const ownQueues = inert('requests wait in their connections, and those are bounded')
