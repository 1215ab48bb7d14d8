// Which APIs a broker advertises: some tests wait for minutes for an API that is not there, instead of skipping.

import { ApiVersions } from '../../src/protocol/messages/metadata.ts'
import { RawClient } from '../integration/support/raw_client.ts'

/** The keys of the APIs. */
export async function advertised(address: string): Promise<ReadonlySet<number>> {
  const client = await RawClient.open(address)
  try {
    const software = { clientSoftwareName: 'conformance', clientSoftwareVersion: '1' }
    const { apiKeys } = await client.ask(ApiVersions, 3, software)
    return new Set(apiKeys.map(({ apiKey }) => apiKey))
  } finally {
    client.close()
  }
}
