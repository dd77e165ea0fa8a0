import { expect, it } from 'vitest';
import { fuzz } from './fuzz.ts';

it('mutants of real reviews get answers that are sound, and none takes longer than its review allows', async () => {
  const report = await fuzz(10_000, 1);
  // Not all of them are refused at the door.
  expect(report.byStatus.get(200)).toBeGreaterThan(5000);
  expect(report.byStatus.get(400)).toBeGreaterThan(500);
  expect(report.patched).toBeGreaterThan(1000);
});
