// jest with one broker for the whole run; its address is in OTTLA_ADDRESS.
module.exports = {
  testMatch: ['**/*.test.cjs'],
  globalSetup: 'ottla/jest-global-setup',
  globalTeardown: 'ottla/jest-global-teardown',
}
