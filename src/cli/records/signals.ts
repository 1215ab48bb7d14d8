// Signals of a command that has something to finish: the first asks to end, the second ends the process at once.

/** What a shell says of a process that a signal ended. */
export const codeOfSignal = (signal: NodeJS.Signals): number => 128 + (signal === 'SIGINT' ? 2 : 15)

/** Calls `stop` at the first SIGINT or SIGTERM; the answer takes the handlers away. */
export function onSignal(stop: (signal: NodeJS.Signals) => void): () => void {
  let isStopping = false
  const heard = (signal: NodeJS.Signals) => {
    if (isStopping) process.exit(codeOfSignal(signal))
    isStopping = true
    stop(signal)
  }
  process.on('SIGINT', heard)
  process.on('SIGTERM', heard)
  return () => {
    process.off('SIGINT', heard)
    process.off('SIGTERM', heard)
  }
}
