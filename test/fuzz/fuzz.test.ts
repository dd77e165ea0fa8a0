import { expect, it } from 'vitest';
import { fuzz } from './fuzz.ts';

it('mutants of real reviews get valid answers, each within the time that its review allows', async () => {
  const report = await fuzz(10_000, 1);
  // Enough mutants are still reviews, so that they are decided and not only refused.
  expect(report.byStatus.get(200)).toBeGreaterThan(5000);
  expect(report.byStatus.get(400)).toBeGreaterThan(500);
  expect(report.patched).toBeGreaterThan(1000);
});
