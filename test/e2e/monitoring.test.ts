/** The chart's alerts and dashboard with a real Prometheus that scrapes the webhook. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { admissionReview } from '../support/admission.ts';
import { eventually } from '../support/eventually.ts';
import { end, spawnOwned } from '../support/owned-process.ts';
import { cacheObject, podObject } from '../support/objects.ts';
import { runWebhook, temporaryFolder, type RunningWebhook } from '../support/webhook.ts';
import { CHART, find, RELEASE, renderChart } from './support/chart.ts';
import { freePort } from './support/control-plane.ts';

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly { expr: string; annotations: Record<string, string> }[];
  }[];
}

function hasPrometheus(): boolean {
  try {
    execFileSync('promtool', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    // In CI, Prometheus must be installed.
    return process.env['CI'] !== undefined;
  }
}

const DASHBOARD = JSON.parse(readFileSync(join(CHART, 'dashboards/imagecache-webhook.json'), 'utf8')) as {
  panels: { title: string; targets?: { expr: string }[] }[];
};
const RULES = parse(readFileSync(join(CHART, 'alerts/rules.yaml'), 'utf8')) as Rules;
const queries = DASHBOARD.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => ({
    title,
    // Grafana's variables, with values as Grafana fills them in.
    expr: expr.replaceAll('$__rate_interval', '30s').replaceAll('$__range', '5m'),
  })),
);

it('every alert leads to a section of the operations page', () => {
  const page = readFileSync('docs/operations.md', 'utf8');
  const anchors = Array.from(page.matchAll(/^## (.*)$/gm), ([, title]) =>
    title!.toLowerCase().replaceAll(' ', '-'),
  );
  for (const { annotations } of RULES.groups.flatMap(({ rules }) => rules)) {
    const [file, anchor] = annotations['runbook_url']!.split('#');
    expect(existsSync(file!)).toBe(true);
    expect(anchors).toContain(anchor);
  }
});

it('the rendered alerts have the address of the runbook that was given', async () => {
  const values = { prometheusRule: { enabled: true, runbookUrl: 'https://wiki.example/imagecache-webhook' } };
  const { groups } = find(await renderChart({ values }), 'PrometheusRule')['spec'] as Rules;
  const rendered = groups.flatMap(({ rules }) => rules);
  expect(rendered.map(({ expr }) => expr)).toEqual(
    RULES.groups.flatMap(({ rules }) => rules).map(({ expr }) => expr),
  );
  for (const { annotations } of rendered)
    expect(annotations['runbook_url']).toMatch(/^https:\/\/wiki\.example\/imagecache-webhook#/);
});

describe.skipIf(!hasPrometheus())('Prometheus', () => {
  const folder = temporaryFolder();
  const source = temporaryFolder({ 'cache.json': cacheObject({ name: 'a', images: ['a:1'] }) });
  let webhook: RunningWebhook;
  let prometheus: { readonly url: string; readonly stop: () => Promise<void> };

  beforeAll(async () => {
    webhook = await runWebhook(source.path);
    await webhook.synced;
    const objects = await renderChart({ values: { prometheusRule: { enabled: true } } });
    const { groups } = find(objects, 'PrometheusRule')['spec'] as Rules;
    folder.write('rules.yaml', stringify({ groups }));
    const target = new URL(webhook.metricsAddress).host;
    folder.write(
      'prometheus.yaml',
      stringify({
        global: { scrape_interval: '1s', evaluation_interval: '1s' },
        rule_files: [join(folder.path, 'rules.yaml')],
        scrape_configs: [
          {
            job_name: RELEASE,
            // The labels that the Prometheus operator adds for a ServiceMonitor.
            static_configs: [{ targets: [target], labels: { namespace: RELEASE, pod: 'a' } }],
          },
        ],
      }),
    );
    prometheus = await startPrometheus(folder.path);
  });
  afterAll(async () => {
    await prometheus?.stop();
    await webhook?.stop();
    folder.remove();
    source.remove();
  });

  async function query(expr: string): Promise<{ metric: Record<string, string>; value: [number, string] }[]> {
    const answer = await fetch(`${prometheus.url}/api/v1/query?query=${encodeURIComponent(expr)}`);
    const { status, data, error } = (await answer.json()) as {
      status: string;
      data: { result: { metric: Record<string, string>; value: [number, string] }[] };
      error?: string;
    };
    expect([status, error], expr).toEqual(['success', undefined]);
    return data.result;
  }

  it('accepts the rules, and the tests of the rules pass', () => {
    execFileSync('promtool', ['check', 'rules', join(folder.path, 'rules.yaml')], { stdio: 'pipe' });
    execFileSync('promtool', ['test', 'rules', 'test/prometheus/rules.test.yaml'], { stdio: 'pipe' });
  });

  it('finds no fault in the metrics', async () => {
    // Without prom-client's metrics about Node, whose names we cannot change.
    const ours = (await webhook.metrics()).replaceAll(/^(?:# \w+ )?nodejs_.*\n/gm, '');
    execFileSync('promtool', ['check', 'metrics'], { input: ours, stdio: 'pipe' });
  });

  it('scrapes the webhook, and every panel of the dashboard shows what happened', async () => {
    const decide = async (): Promise<void> => {
      await webhook.review(admissionReview(podObject({ images: ['a:1', 'b:2'] })));
      await webhook.review(admissionReview(podObject({ images: ['c:3'] })));
      await webhook.review(
        admissionReview(podObject({ annotations: { 'k8s.aliyun.com/eci-auto-imc': 'x' } })),
      );
    };
    await decide();
    await eventually(
      async () => expect(await query('imagecache_webhook_decisions_total')).not.toEqual([]),
      20_000,
    );
    // A rate needs more than one scrape.
    await eventually(async () => {
      await decide();
      const [ratio] = await query('sum(rate(imagecache_webhook_pod_images_total{cached="no"}[30s]))');
      expect(Number(ratio?.value[1])).toBeGreaterThan(0);
    }, 20_000);
    for (const { title, expr } of queries) {
      const result = await query(expr);
      // Neither the API server nor the controller is scraped here, no cache is refused, and ECI's API is not asked.
      const mayBeEmpty = /apiserver_|refused_candidates|imagecache_controller_|region_/.test(expr);
      if (!mayBeEmpty) expect(result, `${title}: ${expr}`).not.toEqual([]);
    }
    const [first] = await query('topk(1, imagecache_webhook_missed_images_total)');
    expect(['docker.io/library/b:2', 'docker.io/library/c:3', 'docker.io/library/app:1']).toContain(
      first?.metric['image'],
    );
  });

  it('evaluates every alert without an error, and none fires', async () => {
    await eventually(async () => {
      const answer = await fetch(`${prometheus.url}/api/v1/rules`);
      const { data } = (await answer.json()) as {
        data: { groups: { rules: { name: string; health: string; state: string; lastError?: string }[] }[] };
      };
      const rules = data.groups.flatMap((group) => group.rules);
      expect(rules.length).toBe(RULES.groups.flatMap((group) => group.rules).length);
      for (const { name, health, state, lastError } of rules) {
        expect([name, health, lastError]).toEqual([name, 'ok', undefined]);
        // An alert may be pending for its `for`, because on a busy machine answers may be slow for a moment.
        expect(['inactive', 'pending'], name).toContain(state);
      }
    }, 20_000);
  });

  it('has every metric that an alert or a panel names', async () => {
    const exposed = new Set(
      Array.from((await webhook.metrics()).matchAll(/^# TYPE (\w+)/gm), ([, name]) => name!),
    );
    const texts = [...queries, ...RULES.groups.flatMap(({ rules }) => rules)].map(({ expr }) => expr);
    const named = texts.flatMap((expr) =>
      Array.from(expr.matchAll(/\b(?:imagecache_webhook|nodejs|process)_\w+/g), ([name]) =>
        name.replace(/_(?:bucket|count|sum)$/, ''),
      ),
    );
    // Those of the region are there only if ECI's API is asked.
    expect(named.length).toBeGreaterThan(20);
    for (const name of named.filter((each) => !each.includes('_region_')))
      expect([...exposed]).toContain(name);
  });
});

async function startPrometheus(folder: string): Promise<{ url: string; stop: () => Promise<void> }> {
  const port = await freePort();
  const child = spawnOwned(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yaml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  );
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () => expect((await fetch(`${url}/-/ready`)).status).toBe(200), 30_000);
  return {
    url,
    stop: () => end(child, 'SIGTERM'),
  };
}
