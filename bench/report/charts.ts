// Charts as SVG, drawn by Apache ECharts without a browser, so that the page is a file that any browser shows. The library
// is pinned and installed into a folder that git ignores, the first time a report is written.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const ECHARTS = 'echarts@6.0.0'
const HOME = fileURLToPath(new URL('../../.cache/bench/charts', import.meta.url))
const WIDTH = 860
const HEIGHT = 360

interface Line {
  readonly name: string
  readonly points: readonly (readonly [number, number])[]
}

export interface Chart {
  readonly title: string
  readonly x: { readonly name: string; readonly isLog?: boolean }
  readonly y: { readonly name: string; readonly isLog?: boolean }
  readonly lines: readonly Line[]
}

export interface Bars {
  readonly title: string
  readonly y: string
  readonly groups: readonly string[]
  readonly bars: readonly { readonly name: string; readonly values: readonly (number | null)[] }[]
}

interface Drawing {
  setOption(option: object): void
  renderToSVGString(): string
  dispose(): void
}

interface Library {
  init(element: null, theme: null, options: object): Drawing
}

async function library(): Promise<Library> {
  const path = join(HOME, 'node_modules', 'echarts', 'dist', 'echarts.js')
  if (!existsSync(path)) {
    mkdirSync(HOME, { recursive: true })
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error', '--ignore-scripts']
    execFileSync('npm', ['install', '--prefix', HOME, ...quiet, ECHARTS], { stdio: 'inherit' })
  }
  const module = (await import(pathToFileURL(path).href)) as { default: Library }
  return module.default
}

function draw(echarts: Library, option: object): string {
  const size = { width: WIDTH, height: HEIGHT }
  const drawing = echarts.init(null, null, { renderer: 'svg', ssr: true, ...size })
  drawing.setOption({
    animation: false,
    legend: { bottom: 0 },
    grid: { left: 80, right: 30, top: 50, bottom: 70 },
    ...option,
  })
  const svg = drawing.renderToSVGString()
  drawing.dispose()
  return svg
}

const axis = ({ name, isLog = false }: Chart['x']) => ({
  type: isLog ? 'log' : 'value',
  name,
  nameLocation: 'middle',
  nameGap: 30,
})

/** Draws all of them. */
export async function drawCharts(charts: readonly (Chart | Bars)[]): Promise<string[]> {
  const echarts = await library()
  return charts.map((chart) => {
    const title = { text: chart.title, left: 'center', textStyle: { fontSize: 15 } }
    if ('bars' in chart) {
      const series = chart.bars.map(({ name, values }) => ({ type: 'bar', name, data: values }))
      const xAxis = { type: 'category', data: chart.groups, axisLabel: { interval: 0, rotate: 20 } }
      return draw(echarts, { title, xAxis, yAxis: { type: 'value', name: chart.y }, series })
    }
    const series = chart.lines.map(({ name, points }) => ({ type: 'line', name, data: points }))
    return draw(echarts, {
      title,
      xAxis: axis(chart.x),
      yAxis: { ...axis(chart.y), nameGap: 55 },
      series,
    })
  })
}
