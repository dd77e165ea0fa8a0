/** The port of the metrics: many scrapers cost little. */
import { pino } from 'pino';
import { Gauge, Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { buildMetricsServer } from '../../src/http/metrics-server.ts';

it('at most ten texts are made in a second, and every scraper gets one', async () => {
  const registry = new Registry();
  let made = 0;
  const gauge: Gauge = new Gauge({
    name: 'made',
    help: 'How often the metrics were collected.',
    registers: [registry],
    collect: () => {
      made += 1;
      gauge.set(made);
    },
  });
  const app = buildMetricsServer({ registry, log: pino({ level: 'silent' }) });
  const began = performance.now();
  const answers = await Promise.all(
    Array.from({ length: 200 }, () => app.inject({ method: 'GET', url: '/metrics' })),
  );
  expect(answers.every(({ statusCode, body }) => statusCode === 200 && body.includes('made '))).toBe(true);
  expect(made).toBeLessThanOrEqual(10 * (1 + Math.ceil((performance.now() - began) / 1000)));
  await app.close();
});
