// Structured, scoped log. A line is a level, a scope in dotted words, a message and fields; where it goes and how
// it looks is the sink's business (host/system.ts), so code below the purity line can log too.

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

export type LogFields = Readonly<Record<string, unknown>>
export type LogSink = (level: LogLevel, scope: string, message: string, fields: LogFields) => void

/** Writes lines of one scope. `child('raft')` of scope `node` has scope `node.raft`. */
export class Log {
  private readonly sink: LogSink
  readonly scope: string

  constructor(sink: LogSink, scope = 'ottla') {
    this.sink = sink
    this.scope = scope
  }

  child(scope: string): Log {
    return new Log(this.sink, `${this.scope}.${scope}`)
  }

  debug(message: string, fields: LogFields = {}): void {
    this.sink('debug', this.scope, message, fields)
  }

  info(message: string, fields: LogFields = {}): void {
    this.sink('info', this.scope, message, fields)
  }

  warn(message: string, fields: LogFields = {}): void {
    this.sink('warn', this.scope, message, fields)
  }

  error(message: string, fields: LogFields = {}): void {
    this.sink('error', this.scope, message, fields)
  }
}

/** A log that nobody reads. */
export const silentLog = new Log(() => {})
