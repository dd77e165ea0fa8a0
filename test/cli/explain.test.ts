/** `imc explain TYPE/NAME`: what would happen now, and what became of the pods that are there. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imcHere as imc, killRunning, start } from '../support/imc.ts';
import { eventually } from '../support/eventually.ts';
import { cacheObject, podObject, type Json } from '../support/objects.ts';
import { temporaryFolder } from '../support/webhook.ts';

const MATCHED = 'k8s.aliyun.com/eci-matched-image-cache';
const INSTANCE = 'k8s.aliyun.com/eci-instance-id';
const DECISION = 'imagecache-webhook.io/decision';

let folder: ReturnType<typeof temporaryFolder>;

function put(name: string, ...objects: readonly Json[]): void {
  folder.write(`${name}.yaml`, objects.map((each) => JSON.stringify(each)).join('\n---\n'));
}

function workload(apiVersion: string, kind: string, name: string, spec: Json, metadata: Json = {}): Json {
  return { apiVersion, kind, metadata: { name, namespace: 'prod', ...metadata }, spec };
}

function pod(name: string, labels: Json, annotations: Json = {}, metadata: Json = {}): Json {
  const { spec } = podObject();
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'prod', labels, annotations, ...metadata },
    spec,
  };
}

const template = { metadata: { labels: { 'alibabacloud.com/eci': 'true' } }, spec: podObject()['spec'] };

beforeAll(() => {
  folder = temporaryFolder();
  put('caches', cacheObject({ name: 'web', images: ['app:1'] }));
  put(
    'web',
    workload('apps/v1', 'Deployment', 'web', {
      selector: {
        matchLabels: { app: 'web' },
        matchExpressions: [{ key: 'track', operator: 'NotIn', values: ['canary'] }],
      },
      template,
    }),
    pod(
      'web-old',
      { app: 'web' },
      { [DECISION]: '{"outcome":"miss","why":"no cache"}', [INSTANCE]: 'eci-1', [MATCHED]: 'imc-by-eci' },
      { creationTimestamp: '2026-11-20T12:00:00Z' },
    ),
    pod(
      'web-new',
      { app: 'web' },
      { [DECISION]: '{"outcome":"hit","why":"it holds 1 of 1"}', 'k8s.aliyun.com/eci-imc-id': 'imc-web' },
      { creationTimestamp: '2026-11-21T12:00:00Z' },
    ),
    pod('web-canary', { app: 'web', track: 'canary' }),
    pod('other', { app: 'other' }),
  );
  put(
    'nightly',
    workload('batch/v1', 'CronJob', 'nightly', { jobTemplate: { spec: { template } } }),
    workload(
      'batch/v1',
      'Job',
      'nightly-29100000',
      { selector: { matchLabels: { 'controller-uid': 'j1' } }, template },
      { ownerReferences: [{ apiVersion: 'batch/v1', kind: 'CronJob', name: 'nightly', controller: true }] },
    ),
    workload('batch/v1', 'Job', 'alone', { selector: { matchLabels: { 'controller-uid': 'j2' } }, template }),
    pod('nightly-29100000-x', { 'controller-uid': 'j1' }),
    pod('alone-y', { 'controller-uid': 'j2' }),
  );
  put(
    'flow',
    workload('argoproj.io/v1alpha1', 'Workflow', 'flow', {
      podMetadata: { labels: { 'alibabacloud.com/eci': 'true' } },
      templates: [{ name: 't', container: { image: 'app:1' } }],
    }),
    pod('flow-t-1', { 'workflows.argoproj.io/workflow': 'flow' }),
  );
});
afterAll(() => {
  killRunning();
  folder.remove();
});

const explain = (...args: readonly string[]): ReturnType<typeof imc> =>
  imc(['explain', ...args, '-n', 'prod', '--source', `files:${folder.path}`]);

async function podsOf(...args: readonly string[]): Promise<string[]> {
  const { out } = await explain(...args, '-o', 'json');
  const last = JSON.parse(out.trim().split('\n').at(-1)!) as { pods: { name: string }[] };
  return last.pods.map(({ name }) => name);
}

describe('imc explain TYPE/NAME', () => {
  it('shows what would be decided now, and then what was decided for each pod and what ECI did', async () => {
    const { code, out, err } = await explain('deploy/web');
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^Deployment web in namespace prod\n/);
    expect(out).toContain('outcome   hit (BestMatch): imc-web');
    expect(out.replaceAll(/ +/g, ' ')).toMatch(
      / POD AGE PHASE DECIDED CACHE ECI USED PREDICTION\n web-new \d+d - hit imc-web not yet -\n web-old \d+d - miss - imc-by-eci eci\n/,
    );
    expect((await explain('deploy/web', '-o', 'wide')).out).toMatch(/web-old .* no cache$/m);
  });

  it.each([
    [['Deployment/web'], ['web-new', 'web-old']],
    [
      ['deployments.apps', 'web'],
      ['web-new', 'web-old'],
    ],
    [['pod/other'], ['other']],
    [['cj/nightly'], ['nightly-29100000-x']],
    [['job/alone'], ['alone-y']],
    [['wf/flow'], ['flow-t-1']],
  ])('finds the pods of %j', async (args, expected) => {
    expect(await podsOf(...args)).toEqual(expected);
  });

  it('explains several workloads, and prints YAML', async () => {
    const { out } = await explain('deploy/web', 'wf/flow', '-o', 'yaml');
    expect(out.match(/^workload: .*$/gm)).toEqual([
      'workload: Deployment web',
      'workload: Workflow flow, template t',
    ]);
    expect(out).toMatch(/^ {2}- name: web-new$/m);
  });

  it.each([
    [['deploy/absent'], 1, 'there is no Deployment absent in namespace prod'],
    [['deplo/web'], 1, '"deplo" is no kind that makes pods; did you mean deploy?'],
    [['web'], 1, '"web" is no name of a workload; write TYPE/NAME, such as deploy/web'],
    [['deploy/web', '-f', 'x'], 2, 'give names, or files with -f, not both'],
    [['--watch', '-f', 'x'], 2, '--watch needs names, not files'],
  ])('%j ends with %i: %s', async (args, code, message) => {
    expect(await explain(...args)).toMatchObject({ code, err: expect.stringContaining(message) as string });
  });

  it('shows again what has changed with --watch, until it is stopped', async () => {
    put('watched', cacheObject({ name: 'watched', images: ['new:1'], phase: 'Creating', progress: '10%' }));
    const child = start(['status', '--watch', '--source', `files:${folder.path}`]);
    let out = '';
    child.stdout!.on('data', (chunk: Buffer) => (out += chunk.toString()));
    await eventually(() => expect(out).toContain('Creating 10%'));
    put('watched', cacheObject({ name: 'watched', images: ['new:1'] }));
    await eventually(() => expect(out).toMatch(/watched +imc-watched +Ready/), 10_000);
    child.kill('SIGINT');
    await eventually(() => expect(child.exitCode).toBe(0));
  });
});
