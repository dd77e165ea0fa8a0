import { expect, it } from 'vitest';
import { fuzz } from './fuzz.ts';

it('mutants of real reviews get valid answers, each within the time that its review allows', async () => {
  const report = await fuzz(5000, 1);
  // Enough mutants are still reviews, so that they are decided and not only refused.
  expect(report.byStatus.get(200)).toBeGreaterThan(2500);
  expect(report.byStatus.get(400)).toBeGreaterThan(250);
  expect(report.patched).toBeGreaterThan(500);
});
