// Broker configuration: SASL with OAuth bearer tokens.
// One row per key, judged against Kafka's own definitions in test/unit/config/tables.test.ts.
// Kafka: SaslConfigs, KIP-768, KIP-1139.

import { boolean, int, javaClass, list, long, password, string } from '../rows.ts'
import { noSasl } from '../states.ts'

/** Broker keys: sasl with oauth bearer tokens. */
export const oauthRows = {
  'sasl.oauthbearer.assertion.algorithm': string(
    'RS256',
    '(case insensitive) [ES256, RS256]',
    'medium read-only',
    {
      state: noSasl,
      doc: 'Algorithm that signs the assertion.',
    },
  ),
  'sasl.oauthbearer.assertion.claim.aud': string(null, '', 'medium read-only', {
    state: noSasl,
    doc: 'Audience claimed in the assertion.',
  }),
  'sasl.oauthbearer.assertion.claim.exp.seconds': int(300, '[0,...,86400]', 'low read-only', {
    state: noSasl,
    doc: 'Seconds from now until the assertion expires.',
  }),
  'sasl.oauthbearer.assertion.claim.iss': string(null, '', 'medium read-only', {
    state: noSasl,
    doc: 'Issuer claimed in the assertion.',
  }),
  'sasl.oauthbearer.assertion.claim.jti.include': boolean(false, 'medium read-only', {
    state: noSasl,
    doc: 'Gives each assertion an id of its own.',
  }),
  'sasl.oauthbearer.assertion.claim.nbf.seconds': int(60, '[0,...,3600]', 'low read-only', {
    state: noSasl,
    doc: 'Seconds before now from which the assertion is valid.',
  }),
  'sasl.oauthbearer.assertion.claim.sub': string(null, '', 'medium read-only', {
    state: noSasl,
    doc: 'Subject claimed in the assertion.',
  }),
  'sasl.oauthbearer.assertion.file': string(null, '', 'medium read-only', {
    state: noSasl,
    doc: 'File with a finished assertion.',
  }),
  'sasl.oauthbearer.assertion.private.key.file': string(null, '', 'medium read-only', {
    state: noSasl,
    doc: 'PEM file with the key that signs the assertion.',
  }),
  'sasl.oauthbearer.assertion.private.key.passphrase': password('medium read-only', {
    state: noSasl,
    doc: 'Passphrase of that key.',
  }),
  'sasl.oauthbearer.assertion.template.file': string(null, '', 'medium read-only', {
    state: noSasl,
    doc: 'File with headers and claims to start the assertion from.',
  }),
  'sasl.oauthbearer.client.credentials.client.id': string(null, '', 'medium read-only', {
    state: noSasl,
    doc: 'Client id known to the identity provider.',
  }),
  'sasl.oauthbearer.client.credentials.client.secret': password('medium read-only', {
    state: noSasl,
    doc: 'Client secret known to the identity provider.',
  }),
  'sasl.oauthbearer.clock.skew.seconds': int(30, '', 'low read-only', {
    state: noSasl,
    doc: 'Seconds by which clocks may differ when a token is judged.',
  }),
  'sasl.oauthbearer.expected.audience': list('', '', 'high read-only', {
    state: noSasl,
    doc: 'Audiences of which a token must name one.',
  }),
  'sasl.oauthbearer.expected.issuer': string(null, '', 'high read-only', {
    state: noSasl,
    doc: 'Issuer that a token must name.',
  }),
  'sasl.oauthbearer.jwks.endpoint.url': string(null, '', 'medium read-only', {
    state: noSasl,
    doc: "Address of the provider's public keys.",
  }),
  'sasl.oauthbearer.jwks.endpoint.refresh.ms': long(3_600_000, '', 'low read-only', {
    state: noSasl,
    doc: "Pace in ms of fetching the provider's keys again.",
  }),
  'sasl.oauthbearer.jwks.endpoint.retry.backoff.ms': long(100, '', 'low read-only', {
    state: noSasl,
    doc: 'First rest in ms between attempts to fetch the keys.',
  }),
  'sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms': long(10_000, '', 'low read-only', {
    state: noSasl,
    doc: 'Longest rest in ms between attempts to fetch the keys.',
  }),
  'sasl.oauthbearer.jwt.retriever.class': javaClass(
    'org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever',
    'medium read-only',
    {
      state: noSasl,
      doc: 'Java class that gets a token.',
    },
  ),
  'sasl.oauthbearer.jwt.validator.class': javaClass(
    'org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator',
    'medium read-only',
    {
      state: noSasl,
      doc: 'Java class that judges a token.',
    },
  ),
  'sasl.oauthbearer.scope': string(null, '', 'medium read-only', {
    state: noSasl,
    doc: 'Scope asked for in a token.',
  }),
  'sasl.oauthbearer.scope.claim.name': string('scope', '', 'low read-only', {
    state: noSasl,
    doc: 'Claim that carries the scope.',
  }),
  'sasl.oauthbearer.sub.claim.name': string('sub', '', 'low read-only', {
    state: noSasl,
    doc: 'Claim that carries the subject.',
  }),
  'sasl.oauthbearer.token.endpoint.url': string(null, '', 'medium read-only', {
    state: noSasl,
    doc: 'Address that issues tokens.',
  }),
}
