// Which topics the members of a consumer group read, as far as the coordinator may know: the bytes belong to the
// clients, and bytes that are no subscription are allowed. So nothing is thrown here; unreadable is an answer.
//
// Only the topics are read: they come first in every version of the subscription, after the version's two bytes.
// Kafka: ClassicGroup.computeSubscribedTopics.

const text = new TextDecoder()

/** The topics of a subscription, or null when the bytes are none. */
export function subscribedTopics(bytes: Uint8Array): string[] | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 6 || view.getInt16(0) < 0) return null
  const count = view.getInt32(2)
  // A name takes two bytes at least, so a count that cannot fit is refused before anything is read.
  if (count < 0 || count > (bytes.length - 6) / 2) return null
  const topics: string[] = []
  let at = 6
  for (let i = 0; i < count; i++) {
    if (at + 2 > bytes.length) return null
    const length = view.getInt16(at)
    at += 2
    if (length < 0 || at + length > bytes.length) return null
    topics.push(text.decode(bytes.subarray(at, at + length)))
    at += length
  }
  return topics
}
