// Broker configuration: TLS.
// One row per key, judged against Kafka's own definitions in test/unit/config/tables.test.ts.
// Kafka: SslConfigs, BrokerSecurityConfigs.

import { boolean, javaClass, list, password, string } from '../rows.ts'
import { noTls } from '../states.ts'

/** Broker keys: TLS. */
export const tlsRows = {
  'ssl.protocol': string('TLSv1.3', '', 'medium per-broker', {
    state: noTls,
    doc: 'TLS version the context is made for.',
  }),
  'ssl.enabled.protocols': list('TLSv1.2,TLSv1.3', '', 'medium per-broker', {
    state: noTls,
    doc: 'TLS versions that are accepted.',
  }),
  'ssl.cipher.suites': list('', '', 'medium per-broker', {
    state: noTls,
    doc: 'Cipher suites that are accepted; empty means the defaults.',
  }),
  'ssl.client.auth': string('none', '[required, requested, none]', 'medium per-broker', {
    state: noTls,
    doc: 'Whether clients must, may or need not show a certificate.',
  }),
  'ssl.endpoint.identification.algorithm': string('https', '', 'low per-broker', {
    state: noTls,
    doc: "How the name in a server's certificate is checked; empty turns it off.",
  }),
  'ssl.principal.mapping.rules': string('DEFAULT', '', 'low read-only', {
    state: noTls,
    doc: 'Rules that turn certificate names into principals.',
  }),
  'ssl.allow.dn.changes': boolean(false, 'low read-only', {
    state: noTls,
    doc: 'Allows a new certificate to carry another name.',
  }),
  'ssl.allow.san.changes': boolean(false, 'low read-only', {
    state: noTls,
    doc: 'Allows a new certificate to carry other alternative names.',
  }),
  'ssl.engine.factory.class': javaClass(null, 'low per-broker', {
    state: noTls,
    doc: 'Java class that makes TLS engines.',
  }),
  'ssl.provider': string(null, '', 'medium per-broker', {
    state: noTls,
    doc: 'Java security provider for TLS.',
  }),
  'ssl.secure.random.implementation': string(null, '', 'low per-broker', {
    state: noTls,
    doc: 'Random source of TLS.',
  }),
  'ssl.key.password': password('medium per-broker', {
    state: noTls,
    doc: 'Password of the private key.',
  }),
  'ssl.keymanager.algorithm': string('SunX509', '', 'medium per-broker', {
    state: noTls,
    doc: 'Algorithm of the key manager.',
  }),
  'ssl.keystore.type': string('JKS', '', 'medium per-broker', {
    state: noTls,
    doc: 'Format of the key store.',
  }),
  'ssl.keystore.location': string(null, '', 'medium per-broker', {
    state: noTls,
    doc: 'File of the key store.',
  }),
  'ssl.keystore.password': password('medium per-broker', {
    state: noTls,
    doc: 'Password of the key store.',
  }),
  'ssl.keystore.key': password('medium per-broker', {
    state: noTls,
    doc: 'Private key, given in place of a file.',
  }),
  'ssl.keystore.certificate.chain': password('medium per-broker', {
    state: noTls,
    doc: 'Certificate chain, given in place of a file.',
  }),
  'ssl.trustmanager.algorithm': string('PKIX', '', 'medium per-broker', {
    state: noTls,
    doc: 'Algorithm of the trust manager.',
  }),
  'ssl.truststore.type': string('JKS', '', 'medium per-broker', {
    state: noTls,
    doc: 'Format of the trust store.',
  }),
  'ssl.truststore.location': string(null, '', 'medium per-broker', {
    state: noTls,
    doc: 'File of the trust store.',
  }),
  'ssl.truststore.password': password('medium per-broker', {
    state: noTls,
    doc: 'Password of the trust store.',
  }),
  'ssl.truststore.certificates': password('medium per-broker', {
    state: noTls,
    doc: 'Trusted certificates, given in place of a file.',
  }),
}
