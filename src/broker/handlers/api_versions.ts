// ApiVersions: what this listener serves and which features there are. KIP-35, KIP-584; KAFKA-17011 hides features
// whose minimum is 0 from versions up to 3, whose clients cannot read them.

import {
  FEATURES,
  METADATA_VERSION,
  METADATA_VERSION_MAX,
  METADATA_VERSION_MIN,
} from '../../metadata/features.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { ApiVersions } from '../../protocol/messages/metadata.ts'
import type { Handler, ServedApis } from '../dispatch.ts'
import type { BrokerNode } from '../node.ts'

/** Every feature this node supports: name → [min, max]. */
export const SUPPORTED_FEATURES: ReadonlyMap<string, readonly [number, number]> = new Map<
  string,
  readonly [number, number]
>([
  [METADATA_VERSION, [METADATA_VERSION_MIN, METADATA_VERSION_MAX] as const],
  ...[...FEATURES].map(([name, levels]) => [name, [0, levels.at(-1)!.level]] as const),
])

const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/

/** Registers ApiVersions last: it answers with what is registered by then. */
export function serveApiVersions(served: ServedApis, node: BrokerNode): void {
  const handler: Handler<typeof ApiVersions> = (request, { version, session }) => {
    if (version >= 3) {
      const { clientSoftwareName, clientSoftwareVersion } = request
      if (!SOFTWARE.test(clientSoftwareName) || !SOFTWARE.test(clientSoftwareVersion)) {
        return { errorCode: ErrorCode.INVALID_REQUEST }
      }
      session.clientSoftwareName = clientSoftwareName
      session.clientSoftwareVersion = clientSoftwareVersion
    }
    const { features, provenance } = node.image
    const finalized = (levels: Iterable<readonly [string, number]>) => {
      const { kraftVersion } = node.raft
      return kraftVersion > 0 ? [...levels, ['kraft.version', kraftVersion] as const] : [...levels]
    }
    return {
      errorCode: ErrorCode.NONE,
      apiKeys: served.rows(),
      supportedFeatures: [...SUPPORTED_FEATURES]
        .filter(([, [minVersion]]) => version >= 4 || minVersion > 0)
        .map(([name, [minVersion, maxVersion]]) => ({ name, minVersion, maxVersion })),
      finalizedFeaturesEpoch: provenance.offset,
      finalizedFeatures: finalized(features.entries()).map(([name, level]) => ({
        name,
        minVersionLevel: level,
        maxVersionLevel: level,
      })),
    }
  }
  served.serve(ApiVersions, '0-4', handler)
}
