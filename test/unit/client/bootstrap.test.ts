// Bootstrap lists as people write them.

import { expect, test } from 'vitest'
import { endpointText, parseBootstrap } from '../../../src/client/bootstrap.ts'

test('client: bootstrap: lists, spaces, IPv6 and a port left out', () => {
  expect(parseBootstrap('a:1, b.example:65535 ,,c')).toEqual([
    { host: 'a', port: 1 },
    { host: 'b.example', port: 65_535 },
    { host: 'c', port: 9092 },
  ])
  expect(parseBootstrap(['[::1]:9', '[fe80::1%eth0]', '::1'])).toEqual([
    { host: '::1', port: 9 },
    { host: 'fe80::1%eth0', port: 9092 },
    { host: '::1', port: 9092 },
  ])
  expect(endpointText({ host: '::1', port: 9 })).toBe('[::1]:9')
})

test.each(['', ' , ', 'a:0', 'a:65536', 'a:x', 'a:', 'http://a:1', '[::1', '[::1]x', 'a b:1'])(
  'client: bootstrap: %j is refused in plain words',
  (text) => {
    expect(() => parseBootstrap(text)).toThrow(/bootstrap server/)
  },
)
