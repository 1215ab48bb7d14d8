// Broker configuration: who may connect and what they may do: authorization, SASL, tokens.
// One row per key, judged against Kafka's own definitions in test/unit/config/tables.test.ts.
// Kafka: BrokerSecurityConfigs, SaslConfigs, DelegationTokenManagerConfigs.

import { double, int, javaClass, list, long, password, short, string } from '../rows.ts'
import { noAuthorizer, noPolicies, noSasl, noTokens, onlyKerberos } from '../states.ts'

/** Broker keys: who may connect and what they may do. */
export const securityRows = {
  'authorizer.class.name': string('', 'non-null string', 'low read-only', {
    state: noAuthorizer,
    doc: 'Class that decides what each principal may do.',
  }),
  'principal.builder.class': javaClass(
    'org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder',
    'medium per-broker',
    {
      state: noAuthorizer,
      doc: 'Java class that names the principal of a connection.',
    },
  ),
  'security.providers': string(null, '', 'low read-only', {
    state: noPolicies,
    doc: 'Java security providers to install.',
  }),
  'config.providers': list('', '', 'low cluster-wide', {
    state: noPolicies,
    doc: 'Java classes that fetch values, such as secrets, from elsewhere.',
  }),
  'connection.failed.authentication.delay.ms': int(100, '[0,...]', 'low read-only', {
    state: noSasl,
    doc: 'Time in ms before a failed authentication closes its connection.',
  }),
  'connections.max.reauth.ms': long(0, '', 'medium read-only', {
    state: noSasl,
    doc: 'Time in ms after which a client must authenticate again; 0 is never.',
  }),
  'delegation.token.secret.key': password('medium read-only', {
    state: noTokens,
    doc: 'Secret that signs delegation tokens.',
  }),
  'delegation.token.expiry.time.ms': long(86_400_000, '[1,...]', 'medium read-only', {
    state: noTokens,
    doc: 'Time in ms a token is valid before it must be renewed.',
  }),
  'delegation.token.max.lifetime.ms': long(604_800_000, '[1,...]', 'medium read-only', {
    state: noTokens,
    doc: 'Time in ms after which a token can no longer be renewed.',
  }),
  'delegation.token.expiry.check.interval.ms': long(3_600_000, '[1,...]', 'low read-only', {
    state: noTokens,
    doc: 'Pace in ms of removing expired tokens.',
  }),
  'sasl.enabled.mechanisms': list('GSSAPI', '', 'medium per-broker', {
    state: noSasl,
    doc: 'SASL mechanisms offered to clients.',
  }),
  'sasl.mechanism.inter.broker.protocol': string('GSSAPI', '', 'medium per-broker', {
    state: noSasl,
    doc: 'SASL mechanism between brokers.',
  }),
  'sasl.mechanism.controller.protocol': string('GSSAPI', '', 'high read-only', {
    state: noSasl,
    doc: 'SASL mechanism towards controllers.',
  }),
  'sasl.jaas.config': password('medium per-broker', {
    state: noSasl,
    doc: 'Login modules and their credentials, in JAAS form.',
  }),
  'sasl.server.max.receive.size': int(524_288, '', 'medium read-only', {
    state: noSasl,
    doc: 'Largest message in bytes before a connection is authenticated.',
  }),
  'sasl.server.callback.handler.class': javaClass(null, 'medium read-only', {
    state: noSasl,
    doc: 'Java class that answers the questions of a SASL server.',
  }),
  'sasl.client.callback.handler.class': javaClass(null, 'medium read-only', {
    state: noSasl,
    doc: 'Java class that answers the questions of a SASL client.',
  }),
  'sasl.login.callback.handler.class': javaClass(null, 'medium read-only', {
    state: noSasl,
    doc: 'Java class that answers the questions of a login.',
  }),
  'sasl.login.class': javaClass(null, 'medium read-only', {
    state: noSasl,
    doc: 'Java class that logs in.',
  }),
  'sasl.login.connect.timeout.ms': int(null, '', 'low read-only', {
    state: noSasl,
    doc: 'Time in ms to connect to the identity provider.',
  }),
  'sasl.login.read.timeout.ms': int(null, '', 'low read-only', {
    state: noSasl,
    doc: 'Time in ms to read from the identity provider.',
  }),
  'sasl.login.refresh.window.factor': double('0.8', '', 'medium per-broker', {
    state: noSasl,
    doc: "Share of a credential's life after which it is refreshed.",
  }),
  'sasl.login.refresh.window.jitter': double('0.05', '', 'medium per-broker', {
    state: noSasl,
    doc: 'Random part of that share.',
  }),
  'sasl.login.refresh.min.period.seconds': short(60, '', 'medium per-broker', {
    state: noSasl,
    doc: 'Least time in seconds between two refreshes.',
  }),
  'sasl.login.refresh.buffer.seconds': short(300, '', 'medium per-broker', {
    state: noSasl,
    doc: 'Time in seconds before expiry that a refresh must keep clear of.',
  }),
  'sasl.login.retry.backoff.ms': long(100, '', 'low read-only', {
    state: noSasl,
    doc: 'First rest in ms between attempts to log in.',
  }),
  'sasl.login.retry.backoff.max.ms': long(10_000, '', 'low read-only', {
    state: noSasl,
    doc: 'Longest rest in ms between attempts to log in.',
  }),
  'sasl.kerberos.service.name': string(null, '', 'medium per-broker', {
    state: noSasl,
    doc: 'Kerberos principal this broker runs as.',
  }),
  'sasl.kerberos.kinit.cmd': string('/usr/bin/kinit', '', 'medium per-broker', {
    state: noSasl,
    doc: 'Path of the kinit command.',
  }),
  'sasl.kerberos.ticket.renew.window.factor': double('0.8', '', 'medium per-broker', {
    state: onlyKerberos,
    doc: "Share of a ticket's life after which it is renewed.",
  }),
  'sasl.kerberos.ticket.renew.jitter': double('0.05', '', 'medium per-broker', {
    state: onlyKerberos,
    doc: 'Random part of that share.',
  }),
  'sasl.kerberos.min.time.before.relogin': long(60_000, '', 'medium per-broker', {
    state: onlyKerberos,
    doc: 'Least time in ms between two Kerberos logins.',
  }),
  'sasl.kerberos.principal.to.local.rules': list('DEFAULT', '', 'medium per-broker', {
    state: noSasl,
    doc: 'Rules that turn Kerberos principals into short names.',
  }),
}
