// How much room brokers have left on the disks of their log directories, measured against the marks that they refuse
// produce and delete early at. An Apache Kafka broker has no marks, and nothing is said of it.
// The marks are storage/disk_pressure.ts's: docs/decisions/0012.

import { describeConfigs } from '../../client/admin_configs.ts'
import type { Cluster } from '../../client/cluster.ts'
import { type DiskState, type Marks, marksOf, nextState } from '../../storage/disk_pressure.ts'
import { formatBytes } from '../output/text.ts'

const KEYS = {
  reserveBytes: 'ottla.log.dir.reserve.bytes',
  lowBytes: 'ottla.log.dir.low.bytes',
  reservePercentMax: 'ottla.log.dir.reserve.max.percent',
}

interface Directory {
  readonly brokerId: number
  readonly path: string
  readonly totalBytes: number
  readonly usableBytes: number
}

/** The room of a directory's disk: its state, and words where there is too little; null where nobody can say. */
export interface Room {
  readonly state: DiskState
  readonly remark: string | null
}

/** The room of each directory, in order. */
export async function roomOf(
  cluster: Cluster,
  directories: readonly Directory[],
): Promise<(Room | null)[]> {
  const brokers = [...new Set(directories.map(({ brokerId }) => brokerId))]
  const described = await describeConfigs(
    cluster,
    brokers.map((id) => ({ type: 'broker', name: String(id), names: Object.values(KEYS) })),
  )
  return directories.map((directory) => {
    const { entries } = described[brokers.indexOf(directory.brokerId)]!
    const numberOf = (key: string) => Number(entries.find(({ name }) => name === key)?.value ?? NaN)
    const settings = {
      reserveBytes: numberOf(KEYS.reserveBytes),
      lowBytes: numberOf(KEYS.lowBytes),
      reservePercentMax: numberOf(KEYS.reservePercentMax),
    }
    const isKnown = Object.values(settings).every((value) => Number.isFinite(value))
    if (!isKnown || directory.usableBytes < 0) return null
    const marks = marksOf(settings, directory.totalBytes)
    const state = nextState('plenty', directory.usableBytes, marks)
    return { state, remark: remarkOn(state, directory, marks) }
  })
}

function remarkOn(
  state: DiskState,
  { brokerId, path, usableBytes }: Directory,
  { reserve, reserveEnd }: Marks,
): string | null {
  const free = `broker ${brokerId}: the disk of ${path} has ${formatBytes(usableBytes)} left`
  const until = `until there are ${formatBytes(reserveEnd)}`
  if (state === 'full') return `${free}: produce is refused ${until}`
  if (state === 'plenty') return null
  return reserve === 0
    ? `${free}, which is low`
    : `${free}, which is low: with ${formatBytes(reserve)} produce is refused, ${until}`
}
