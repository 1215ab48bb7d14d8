// The tools about the cluster: directories, leaders, quorum, features, endpoints, APIs.

import assert from 'node:assert/strict'
import type { Printed } from './driver.ts'
import { printed, refused, type Session, type ToolCheck } from './session.ts'

interface Directories {
  version: number
  brokers: {
    broker: number
    logDirs: {
      error: string | null
      logDir: string
      partitions: { partition: string; size: number; offsetLag: number; isFuture: boolean }[]
    }[]
  }[]
}

/** What LogDirsCommand prints after two sentences. */
export function directoriesOf(what: Printed): Directories {
  const [asked, heard, json] = what.out.split('\n')
  assert.equal(asked, 'Querying brokers for log directories information')
  assert.equal(heard, 'Received log directory information from brokers 1')
  return JSON.parse(json!)
}

const quorum = (t: Session, ...args: string[]) =>
  t.tool('MetadataQuorumCommand', 'describe', ...args)
const feature = (t: Session, ...args: string[]) => t.tool('FeatureCommand', ...args)
const elect = (t: Session, ...args: string[]) => t.tool('LeaderElectionCommand', ...args)

const FEATURES = [
  'eligible.leader.replicas.version 0 1 1',
  'group.version 0 1 1',
  'kraft.version 0 1 1',
  'metadata.version 3.3-IV3 4.3-IV0 4.3-IV0',
  'share.version 0 1 1',
  'streams.version 0 1 1',
  'transaction.version 0 2 2',
]

export const clusterChecks: readonly ToolCheck[] = [
  {
    name: 'log dirs: describe a topic',
    async run(t) {
      const topic = await t.topic('dirs', '--partitions', '2')
      await t.produceKeyed(topic, ['k3:1', 'k3:2'])
      const found = directoriesOf(
        await t.tool('LogDirsCommand', '--describe', '--topic-list', topic),
      )
      assert.equal(found.version, 1)
      assert.equal(found.brokers.length, 1)
      const [{ error, partitions }] = found.brokers[0]!.logDirs as [
        Directories['brokers'][0]['logDirs'][0],
      ]
      assert.equal(error, null)
      const sorted = [...partitions].sort((a, b) => a.partition.localeCompare(b.partition))
      assert.deepEqual(
        sorted.map(({ size, ...rest }) => rest),
        [0, 1].map((i) => ({ partition: `${topic}-${i}`, offsetLag: 0, isFuture: false })),
      )
      assert.ok(sorted[0]!.size > 60 && sorted[0]!.size < 300, String(sorted[0]!.size))
      assert.equal(sorted[1]!.size, 0)
    },
  },
  {
    name: 'log dirs: describe all, and nothing',
    async run(t) {
      const topic = await t.topic('dirs-all')
      const all = directoriesOf(await t.tool('LogDirsCommand', '--describe', '--broker-list', '1'))
      const names = all.brokers[0]!.logDirs[0]!.partitions.map(({ partition }) => partition)
      assert.ok(names.includes(`${topic}-0`))
      const none = directoriesOf(
        await t.tool('LogDirsCommand', '--describe', '--topic-list', t.name('absent')),
      )
      assert.deepEqual(none.brokers[0]!.logDirs[0]!.partitions, [])
      refused(
        t,
        await t.tool('LogDirsCommand', '--describe', '--broker-list', '7'),
        'ERROR: The given brokers do not exist from --broker-list: 7. Current existent brokers: 1',
      )
    },
  },
  {
    name: 'election: the preferred leader leads already',
    async run(t) {
      const topic = await t.topic('elect')
      for (const type of ['preferred', 'unclean']) {
        printed(
          t,
          await elect(t, '--election-type', type, '--topic', topic, '--partition', '0'),
          `Valid replica already elected for partitions ${topic}-0`,
        )
      }
      printed(t, await elect(t, '--election-type', 'preferred', '--all-topic-partitions'))
    },
  },
  {
    name: 'election: of what is not there',
    async run(t) {
      const topic = await t.topic('elect-one')
      const absent = t.name('elect-absent')
      refused(
        t,
        await elect(t, '--election-type', 'preferred', '--topic', absent, '--partition', '0'),
        `Error completing leader election (PREFERRED) for partition: ${absent}-0: ` +
          `org.apache.kafka.common.errors.UnknownTopicOrPartitionException: No such topic as ${absent}`,
        '1 replica(s) could not be elected',
      )
      refused(
        t,
        await elect(t, '--election-type', 'preferred', '--topic', topic, '--partition', '3'),
        /UnknownTopicOrPartitionException: No such partition as .*-3/,
      )
    },
  },
  {
    name: 'quorum: status',
    async run(t) {
      const facts = new Map(
        t
          .plain((await quorum(t, '--status')).out)
          .split('\n')
          .map((line) => {
            const at = line.indexOf(':')
            return [line.slice(0, at), line.slice(at + 1).trim()] as const
          }),
      )
      assert.deepEqual(
        [...facts.keys()],
        [
          'ClusterId',
          'LeaderId',
          'LeaderEpoch',
          'HighWatermark',
          'MaxFollowerLag',
          'MaxFollowerLagTimeMs',
          'CurrentVoters',
          'CurrentObservers',
        ],
      )
      assert.equal(facts.get('LeaderId'), '1')
      assert.ok(Number(facts.get('LeaderEpoch')) >= 1)
      assert.ok(Number(facts.get('HighWatermark')) > 10)
      assert.equal(facts.get('MaxFollowerLag'), '0')
      assert.equal(facts.get('CurrentObservers'), '[]')
      assert.match(
        facts.get('CurrentVoters')!,
        /^\[\{"id": 1, "directoryId": "?(<id>|[\w-]{22})"?, "endpoints": \["CONTROLLER:\/\/<controller>"\]\}\]$/,
      )
    },
  },
  {
    name: 'quorum: replication',
    async run(t) {
      const table = (what: Printed) => t.plain(what.out).split('\n')
      const [head, row, ...more] = table(await quorum(t, '--replication'))
      assert.equal(
        head,
        'NodeId DirectoryId LogEndOffset Lag LastFetchTimestamp LastCaughtUpTimestamp Status',
      )
      assert.match(row!, /^1 (<id>|[\w-]{22}) \d+ 0 <ms> <ms> Leader$/)
      assert.deepEqual(more, [])
      const human = table(await quorum(t, '--replication', '--human-readable'))
      assert.match(human[1]!, /^1 (<id>|[\w-]{22}) \d+ 0 \d+ ms ago \d+ ms ago Leader$/)
    },
  },
  {
    name: 'quorum: asked at the controller',
    async run(t) {
      const { host, port } = t.target
      const args = ['--bootstrap-controller', `${host}:${port + 1}`, 'describe', '--status']
      const what = await t.run('MetadataQuorumCommand', args)
      assert.equal(what.code, 0, what.err)
      assert.match(what.out, /^LeaderId: +1$/m)
    },
  },
  {
    name: 'features: describe',
    async run(t) {
      const lines = t.plain((await feature(t, 'describe')).out).split('\n')
      const found = lines.map((line) => {
        const cells = line.match(
          /^Feature: (\S+) SupportedMinVersion: (\S+) SupportedMaxVersion: (\S+) FinalizedVersionLevel: (\S+) Epoch: \d+$/,
        )
        return cells === null ? line : cells.slice(1).join(' ')
      })
      assert.deepEqual(found, FEATURES)
    },
  },
  {
    name: 'features: upgrade to what is',
    async run(t) {
      printed(
        t,
        await feature(t, 'upgrade', '--release-version', '4.3'),
        'eligible.leader.replicas.version was upgraded to 1.',
        'group.version was upgraded to 1.',
        'kraft.version was upgraded to 1.',
        'metadata.version was upgraded to 30.',
        'share.version was upgraded to 1.',
        'streams.version was upgraded to 1.',
        'transaction.version was upgraded to 2.',
      )
    },
  },
  {
    name: 'features: what cannot be',
    async run(t) {
      refused(
        t,
        await feature(t, 'upgrade', '--feature', 'metadata.version=99'),
        'Could not upgrade metadata.version to 99. The update failed for all features since the following feature had ' +
          'an error: Invalid update version 99 for feature metadata.version. Local controller 1 only supports versions 7-30',
        '1 out of 1 operation(s) failed.',
      )
      refused(
        t,
        await feature(t, 'downgrade', '--feature', 'kraft.version=0'),
        "Invalid update version 0 for feature kraft.version. Can't downgrade the version of this feature.",
      )
      printed(
        t,
        await feature(t, 'disable', '--feature', 'group.version', '--dry-run'),
        'group.version can be disabled.',
      )
    },
  },
  {
    name: 'cluster: id and endpoints',
    async run(t) {
      const cluster = (...args: string[]) => t.run('ClusterTool', [...args, ...t.server])
      const id = (await cluster('cluster-id')).out.trim()
      assert.match(id, /^Cluster ID: [\w-]{22}$/)
      assert.ok((await quorum(t, '--status')).out.includes(id.slice('Cluster ID: '.length)))
      printed(
        t,
        await cluster('list-endpoints'),
        'ID HOST PORT RACK STATE ENDPOINT_TYPE',
        '1 <host> <port> null unfenced broker',
      )
    },
  },
  {
    name: 'cluster: unregister a broker that is not there',
    async run(t) {
      refused(
        t,
        await t.run('ClusterTool', ['unregister', ...t.server, '--id', '9']),
        'BrokerIdNotRegisteredException: Broker ID 9 is not currently registered',
      )
    },
  },
  {
    name: 'cluster: APIs and versions',
    async run(t) {
      const lines = t.plain((await t.tool('BrokerApiVersionsCommand')).out).split('\n')
      assert.equal(lines[0], '<address> (id: 1 rack: null isFenced: false) -> (')
      // What everyday clients need; APIs of other chapters are counted where they are used.
      for (const line of [
        'Produce(0): 0 to 13 [usable: 13],',
        'Fetch(1): 4 to 18 [usable: 18],',
        'ListOffsets(2): 1 to 11 [usable: 11],',
        'Metadata(3): 0 to 13 [usable: 13],',
        'OffsetCommit(8): 2 to 10 [usable: 10],',
        'OffsetFetch(9): 1 to 10 [usable: 10],',
        'FindCoordinator(10): 0 to 6 [usable: 6],',
        'JoinGroup(11): 0 to 9 [usable: 9],',
        'Heartbeat(12): 0 to 4 [usable: 4],',
        'LeaveGroup(13): 0 to 5 [usable: 5],',
        'SyncGroup(14): 0 to 5 [usable: 5],',
        'DescribeGroups(15): 0 to 6 [usable: 6],',
        'ListGroups(16): 0 to 5 [usable: 5],',
        'ApiVersions(18): 0 to 4 [usable: 4],',
        'CreateTopics(19): 2 to 7 [usable: 7],',
        'DeleteTopics(20): 1 to 6 [usable: 6],',
        'DeleteRecords(21): 0 to 2 [usable: 2],',
        'InitProducerId(22): 0 to 5 [usable: 5],',
        'OffsetForLeaderEpoch(23): 2 to 4 [usable: 4],',
        'DescribeConfigs(32): 1 to 4 [usable: 4],',
        'AlterConfigs(33): 0 to 2 [usable: 2],',
        'DescribeLogDirs(35): 1 to 5 [usable: 5],',
        'CreatePartitions(37): 0 to 3 [usable: 3],',
        'DeleteGroups(42): 0 to 2 [usable: 2],',
        'ElectLeaders(43): 0 to 2 [usable: 2],',
        'IncrementalAlterConfigs(44): 0 to 1 [usable: 1],',
        'OffsetDelete(47): 0 [usable: 0],',
        'DescribeQuorum(55): 0 to 2 [usable: 2],',
        'UpdateFeatures(57): 0 to 2 [usable: 2],',
        'DescribeCluster(60): 0 to 2 [usable: 2],',
        'DescribeProducers(61): 0 [usable: 0],',
        'UnregisterBroker(64): 0 [usable: 0],',
        'ListConfigResources(74): 0 to 1 [usable: 1],',
        'DescribeTopicPartitions(75): 0 [usable: 0],',
      ]) {
        assert.ok(lines.includes(` ${line}`), `no ${line}`)
      }
    },
  },
  {
    name: 'producers: describe what wrote to a partition',
    async run(t) {
      const topic = await t.topic('writers')
      await t.produce(topic, ['1', '2', '3'])
      const args = ['describe-producers', '--topic', topic, '--partition', '0']
      const [head, row, ...more] = t
        .plain((await t.tool('TransactionsCommand', ...args)).out)
        .split('\n')
      assert.equal(
        head,
        'ProducerId ProducerEpoch LatestCoordinatorEpoch LastSequence LastTimestamp CurrentTransactionStartOffset',
      )
      assert.match(row!, /^\d+ 0 -1 2 <ms> None$/)
      assert.deepEqual(more, [])
    },
  },
]
