// Loaded into a broker's process before it starts (`node --import bench/groups/stalls.mjs`): how late its event loop is. The parent
// sends `reset`, and later `report`, over the channel it was started with. Milliseconds.
// Whole CPU time is the process's, so that threads of the data plane count too.

import { monitorEventLoopDelay } from 'node:perf_hooks'

const RESOLUTION_MS = 5
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
const ms = (ns) => Math.max(0, ns / 1e6 - RESOLUTION_MS)
let cpu = process.cpuUsage()
let startedMs = performance.now()
let utilization = performance.eventLoopUtilization()

function report() {
  const { user, system } = process.cpuUsage(cpu)
  const seconds = (performance.now() - startedMs) / 1000
  return {
    seconds,
    p50Ms: ms(delay.percentile(50)),
    p99Ms: ms(delay.percentile(99)),
    p999Ms: ms(delay.percentile(99.9)),
    maxMs: ms(delay.max),
    loopBusy: performance.eventLoopUtilization(utilization).utilization,
    cores: (user + system) / 1e6 / seconds,
    rssMb: process.memoryUsage().rss / 2 ** 20,
    heapMb: process.memoryUsage().heapUsed / 2 ** 20,
  }
}

process.on('message', (word) => {
  if (word === 'report') return process.send(report())
  delay.enable()
  delay.reset()
  cpu = process.cpuUsage()
  startedMs = performance.now()
  utilization = performance.eventLoopUtilization()
})
process.channel?.unref()
