/**
 * What random tests start from; printed where they fail. CI repeats one seed, so that what fails there fails for its change; every
 * other run takes a new one. `LOCKSTEP_TEST_SEED` repeats a run.
 */
export const seed = Number(process.env['LOCKSTEP_TEST_SEED'] ?? (process.env['CI'] ? 730_217 : Date.now() % 1_000_000));
