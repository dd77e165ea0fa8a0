/** A miss on a folder, the cache that the controller creates and the simulator makes Ready, and the next pod's hit. */
import { readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { startController, type Controller } from '../../src/runtime/controller.ts';
import { simulate } from '../../src/runtime/simulator.ts';
import { admissionReview } from '../support/admission.ts';
import { eventually } from '../support/eventually.ts';
import { cacheObject, podObject, type Json } from '../support/objects.ts';
import { applied, operationsOf } from '../support/patch.ts';
import { runWebhook, temporaryFolder, type RunningWebhook } from '../support/webhook.ts';

const BY_CONTROLLER = { 'createOnMiss.by': 'controller' };

describe('on a folder of manifests', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let webhook: RunningWebhook;
  let controller: Controller;
  let stopEci: () => Promise<void>;
  const states: string[] = [];
  const problems: string[] = [];

  beforeEach(async () => {
    folder = temporaryFolder({
      'mine.yaml': `# By hand.\n${JSON.stringify(cacheObject({ name: 'mine', images: ['mine:1'] }))}\n`,
    });
    states.length = 0;
    problems.length = 0;
    const flags = new Map(
      Object.entries({
        source: `files:${folder.path}`,
        host: '127.0.0.1',
        metricsPort: '0',
        'controller.quota': '1',
        prewarm: 'true',
        maxStaleness: '1s',
        'controller.webhookTimeout': '0',
        ...BY_CONTROLLER,
      }),
    );
    const config = loadConfig(undefined, flags, {});
    webhook = await runWebhook(folder.path, BY_CONTROLLER);
    controller = await startController(config, pino({ level: 'silent' }));
    await Promise.all([webhook.synced, controller.synced]);
    const stopped = Promise.withResolvers<void>();
    const playing = simulate(
      config,
      { creationTime: 1000, failing: ['broken'] },
      undefined,
      {
        onServing: () => undefined,
        onStart: () => undefined,
        onState: (name, phase, progress) => states.push(`${name} ${phase} ${progress}`),
        onProblem: (problem) => problems.push(problem),
      },
      stopped.promise,
    );
    stopEci = async () => {
      stopped.resolve();
      await playing;
    };
  });
  afterEach(async () => {
    await stopEci();
    await controller.stop();
    await webhook.stop();
    folder.remove();
    expect(problems).toEqual([]);
  });

  /** @returns the outcome for a pod that is not stored */
  async function dryRun(image: string): Promise<string | undefined> {
    return (await webhook.review(admissionReview(podObject({ images: [image] })))).auditAnnotations?.[
      'outcome'
    ];
  }

  /** Creates a pod as an API server does: asks the webhook, and stores the patched pod. @returns the outcome */
  async function create(name: string, image: string): Promise<string | undefined> {
    const spec = { containers: [{ name: 'c', image }], nodeName: 'virtual-kubelet' };
    const object = podObject({ spec });
    const pod = { ...object, metadata: { ...(object['metadata'] as Json), name } };
    const response = await webhook.review(admissionReview(pod));
    const decided = applied(pod, operationsOf(response));
    const metadata = { ...(decided['metadata'] as Json), creationTimestamp: new Date().toISOString() };
    folder.write(`pod-${name}.json`, { ...decided, metadata });
    return response.auditAnnotations?.['outcome'];
  }

  const made = (): string[] => readdirSync(folder.path).filter((file) => file.startsWith('auto-'));
  const statusOf = (file: string): Json =>
    (parse(readFileSync(join(folder.path, file), 'utf8')) as Json)['status'] as Json;

  it('a miss becomes a cache, the cache becomes Ready, and the next pod hits', async () => {
    expect(await create('first', 'app:1')).toBe('miss');
    await eventually(async () => expect(await create('next', 'app:1')).toBe('hit'));
    const [file] = made();
    expect(made()).toHaveLength(1);
    const name = file!.replace('.yaml', '');
    expect(states.at(-1)).toBe(`${name} Ready 100%`);
    // A file that a person wrote is unchanged.
    expect(readFileSync(join(folder.path, 'mine.yaml'), 'utf8')).toMatch(/^# By hand\./);
  });

  it('a cache is made for a template, with the pull secrets of its future pods, and the first pod hits', async () => {
    folder.write(
      'account.yaml',
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name: 'builder', namespace: 'default' },
        imagePullSecrets: [{ name: 'registry' }],
      }),
    );
    const image = 'registry.example/app:1';
    const spec = { containers: [{ name: 'c', image }], serviceAccountName: 'builder' };
    const metadata = { labels: { 'alibabacloud.com/eci': 'true' } };
    const file = join(folder.path, 'web.yaml');
    writeFileSync(
      file,
      JSON.stringify({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web', namespace: 'default' },
        spec: { template: { metadata, spec } },
      }),
    );
    // The file looks as if nobody had changed it for a minute.
    const written = Date.now() / 1000 - 60;
    utimesSync(file, written, written);
    await eventually(() => expect(made().map((each) => statusOf(each)?.['phase'])).toEqual(['Ready']));
    const cache = parse(readFileSync(join(folder.path, made()[0]!), 'utf8')) as Json;
    expect(cache['spec']).toMatchObject({ images: [image], imagePullSecrets: ['default:registry'] });
    await eventually(async () => expect(await create('first', image)).toBe('hit'));
    const metrics = await (await fetch(`${controller.address}/metrics`)).text();
    expect(metrics).toContain('imagecache_controller_created_total{cause="template"} 1\n');
  });

  it('at the quota, an older cache is given to no pod any more, goes a moment later, and another takes its place', async () => {
    expect(await create('first', 'app:1')).toBe('miss');
    await eventually(() => expect(made().map((file) => statusOf(file)?.['phase'])).toEqual(['Ready']));
    rmSync(join(folder.path, 'pod-first.json'));
    const [before] = made();
    const cache = parse(readFileSync(join(folder.path, before!), 'utf8')) as Json;
    // Old enough to make room, and too young to go because nobody uses it.
    const creationTimestamp = new Date(Date.now() - 2 * 3_600_000).toISOString();
    const metadata = { ...(cache['metadata'] as Json), creationTimestamp };
    folder.write(before!, { ...cache, metadata });
    expect(await create('other', 'other:1')).toBe('miss');
    await eventually(() =>
      expect(readFileSync(join(folder.path, before!), 'utf8')).toContain('retiring: Quota '),
    );
    await eventually(async () => expect(await dryRun('app:1')).toBe('miss'));
    expect(made()).toEqual([before]);
    await eventually(() => {
      expect(made()).toHaveLength(1);
      expect(made()[0]).not.toBe(before);
    }, 20_000);
    await eventually(async () => expect(await create('other-next', 'other:1')).toBe('hit'));
  });

  it('a failed cache is not made again at once', async () => {
    expect(await create('first', 'broken:1')).toBe('miss');
    await eventually(() => expect(made().map((file) => statusOf(file)?.['phase'])).toEqual(['Failed']));
    expect(await create('next', 'broken:1')).toBe('miss');
    expect(made()).toHaveLength(1);
    const text = await eventually(async () => {
      const metrics = await (await fetch(`${controller.address}/metrics`)).text();
      expect(metrics).toContain('imagecache_controller_failed_total 1');
      return metrics;
    });
    expect(text).toContain('imagecache_controller_created_total{cause="miss"} 1');
    expect(text).toContain('imagecache_controller_failed_total 1\n');
    expect(text).toContain('imagecache_controller_leading 1\n');
    const ready = await fetch(`${controller.address}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([200, expect.objectContaining({ status: 'ready' })]);
  });
});
