// Asking a broker in another process again and again, within a deadline: what it does between a kill and being ready
// again can only be seen from outside.

/** Waits a moment before the next question. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Repeats a question until it is answered; undefined asks again. Throws what it threw last at the deadline. */
export async function eventually<T>(
  question: () => Promise<T | undefined>,
  timeoutMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  let problem = new Error('no answer')
  while (performance.now() < deadline) {
    try {
      const answer = await question()
      if (answer !== undefined) return answer
    } catch (error) {
      problem = error as Error
    }
    await pause(20)
  }
  throw new Error(`not within ${timeoutMs} ms: ${problem.message}`, { cause: problem })
}
