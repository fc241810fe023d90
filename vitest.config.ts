import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/support/setup.ts'],
    testTimeout: 120_000,
    hookTimeout: 300_000,
    maxWorkers: 3,
    // kafkajs asks for timers in the past; the product's own use of it is mended, the tests' helpers use it as it is.
    execArgv: ['--disable-warning=TimeoutNegativeWarning'],
    reporters: process.env['CI'] === undefined ? ['default'] : ['dot'],
  },
});
