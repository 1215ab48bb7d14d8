// Tables for people: columns as wide as they need, without borders. Where the width of the terminal is known, the
// columns that may shrink are cut until a row fits; to a pipe or a file everything is written whole.

import { columnsOf, cut, type Paint, printable } from './text.ts'

/** A column: its title, and how its cells stand. */
export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** May be cut, to no less than this many columns, when the terminal is narrow. */
  readonly shrinkTo?: number
}

/** A cell, or one with a colour. */
export type Cell = string | number | bigint | null | Painted
export interface Painted {
  readonly text: string
  readonly paint: (text: string) => string
}

export interface TableOptions {
  /** Columns of the terminal; null where there is none. */
  readonly width: number | null
  readonly paint: Paint
}

const GAP = '  '

/** The lines of a table: the titles, then a row each. A null cell is a dash. */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  { width, paint }: TableOptions,
): string[] {
  const texts = rows.map((row) => row.map(textOf))
  const widths = columns.map(({ title }, at) =>
    texts.reduce((most, row) => Math.max(most, columnsOf(row[at] ?? '')), columnsOf(title)),
  )
  if (width !== null) shrink(columns, widths, width)
  const line = (cells: readonly string[], paints: readonly Painted['paint'][]): string => {
    const parts = columns.map((column, at) => {
      const text = cut(cells[at] ?? '', widths[at]!)
      const space = ' '.repeat(widths[at]! - columnsOf(text))
      const shown = (paints[at] ?? same)(text)
      if (column.align === 'right') return space + shown
      return at === columns.length - 1 ? shown : shown + space
    })
    return parts.join(GAP).trimEnd()
  }
  const titles = line(
    columns.map(({ title }) => title),
    columns.map(() => paint.strong),
  )
  return [titles, ...texts.map((row, at) => line(row, rows[at]!.map(paintOf)))]
}

function same(text: string): string {
  return text
}

function textOf(cell: Cell): string {
  if (cell === null) return '-'
  return printable(typeof cell === 'object' ? cell.text : String(cell))
}

function paintOf(cell: Cell): Painted['paint'] {
  return typeof cell === 'object' && cell !== null ? cell.paint : same
}

// The widest of those that may still shrink gives way first.
function shrink(columns: readonly Column[], widths: number[], width: number): void {
  const total = () => widths.reduce((sum, each) => sum + each, GAP.length * (widths.length - 1))
  for (let excess = total() - width; excess > 0; excess--) {
    let widest = -1
    for (let at = 0; at < widths.length; at++) {
      const least = columns[at]!.shrinkTo
      if (least === undefined || widths[at]! <= least) continue
      if (widest < 0 || widths[at]! > widths[widest]!) widest = at
    }
    if (widest < 0) return
    widths[widest]!--
  }
}
