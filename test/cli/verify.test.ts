/** The commands that ask ECI's API, as processes, against `imc simulate-eci --api` as another process. */
import { cpSync, globSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imc, killRunning, start, type Result } from '../support/imc.ts';
import { cacheObject, podObject, type Json } from '../support/objects.ts';
import { temporaryFolder } from '../support/webhook.ts';

const KEY = {
  ALIBABA_CLOUD_ACCESS_KEY_ID: 'me',
  ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'my-secret',
  HOME: '/nonexistent',
};
const EXAMPLES = globSync('test/examples/pods/*.yaml').toSorted();

let folder: ReturnType<typeof temporaryFolder>;
let endpoint: string;

beforeAll(async () => {
  folder = temporaryFolder();
  mkdirSync(join(folder.path, 'cluster'));
  cpSync('test/examples/cluster', join(folder.path, 'cluster'), { recursive: true });
  const source = `--source=files:${folder.path}/cluster`;
  const eci = start([
    'simulate-eci',
    source,
    '--api',
    '0',
    '--access-key',
    'me:my-secret',
    '--creation-time',
    '10m',
  ]);
  for await (const line of createInterface({ input: eci.stdout! })) {
    endpoint = /http:\/\/[\d.:]+/.exec(line)?.[0] ?? endpoint;
    if (endpoint) break;
  }
});
afterAll(() => {
  killRunning();
  folder.remove();
});

function asking(
  command: string,
  args: readonly string[],
  environment: Record<string, string> = KEY,
): Promise<Result> {
  const region = ['--region-name', 'cn-beijing', '--region-endpoint', endpoint];
  return imc([command, '--source', `files:${folder.path}/cluster`, ...region, ...args], '', environment);
}

const files = (...names: readonly string[]): string[] => names.flatMap((name) => ['-f', name]);

describe('imc verify', () => {
  it('finds on every example that each difference follows from a rule', async () => {
    const { code, out, err } = await asking('verify', files(...EXAMPLES));
    expect(err).toBe('');
    expect(out).toMatch(/^WORKLOAD +NAMESPACE +PODS +OURS +ECI +VERDICT +BECAUSE$/m);
    expect(out).toMatch(
      /Pods: \d{2} agree, \d+ differ by rule \(.*TooLarge.*\), 0 differ; \d+ were not asked\./,
    );
    expect(code).toBe(0);
  });

  it('shows the same as JSON, one object a line', async () => {
    const { out } = await asking('verify', [...files('test/examples/pods/21-too-large.yaml'), '-o', 'json']);
    expect(JSON.parse(out)).toMatchObject({
      title: 'Pod too-large',
      pods: 1,
      verdict: 'differs by rule',
      ours: null,
      rules: ['TooLarge'],
    });
  });

  it('asks about the pods of the source if no file is given, and equal pods once', async () => {
    const pod = (name: string): Json => ({
      ...podObject({ images: ['never-cached:1'] }),
      metadata: { ...(podObject()['metadata'] as Json), name },
    });
    folder.write('cluster/pods.json', JSON.stringify(pod('one')));
    folder.write('cluster/more.json', JSON.stringify(pod('two')));
    const { code, out } = await asking('verify', ['-o', 'json']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ pods: 2, verdict: 'agrees', ours: null, eci: null });
  });

  it('fails if the decision differs for no reason that it knows', async () => {
    // The decision knows another cluster than the region has: there the pod finds a cache that is not listed as Ready.
    const other = temporaryFolder({
      'a.json': cacheObject({ name: 'a', id: 'imc-2zeditzeoemfhqor0001', images: ['other:1'] }),
      'pod.json': podObject({ images: ['registry.cn-shanghai.aliyuncs.com/eci_open/nginx:1.14.2'] }),
    });
    const region = ['--region-name', 'cn-beijing', '--region-endpoint', endpoint];
    const { code, out } = await imc(['verify', '--source', `files:${other.path}`, ...region], '', KEY);
    other.remove();
    expect(out).toMatch(/differs +ECI prefers/);
    expect(code).toBe(1);
  });

  it('says what is wrong with the credentials, and does not show them', async () => {
    const wrong = { ...KEY, ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'wrong-secret' };
    const { code, out, err } = await asking('verify', files(EXAMPLES[0]!), wrong);
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/the access key is not valid \(SignatureDoesNotMatch\)/);
    expect(err).not.toContain('wrong-secret');
  });

  it('needs a region', async () => {
    const { code, err } = await imc(['verify', '--source', 'files:test/examples/cluster']);
    expect(code).toBe(2);
    expect(err).toContain('--region-name');
  });
});

it('imc status shows where each cache is known from, and the quotas of the region', async () => {
  const { code, out, err } = await asking('status', ['--region-api', 'true']);
  expect([code, err]).toEqual([0, '']);
  expect(out).toMatch(/^NAME .*KNOWN FROM/m);
  expect(out).toMatch(/imagecache-sample-test .* both /);
  expect(out).toMatch(/^Quotas of the region: \d+ of 500 manual caches, 0 of 25 automatic caches\.$/m);
});

it('imc status goes on with the objects of the cluster if the API does not answer', async () => {
  const { code, out, err } = await asking('status', ['--region-api', 'true'], { HOME: '/nonexistent' });
  expect(out).toContain('imagecache-sample-test');
  expect(err).toMatch(/no credentials were found/);
  expect(code).toBe(1);
});

it('imc explain shows where the candidates are known from', async () => {
  const pod = files('test/examples/pods/13-partial-hit.yaml');
  const { out } = await asking('explain', [...pod, '--region-api', 'true']);
  expect(out).toMatch(/CANDIDATE .*PHASE +KNOWN FROM +VERDICT/);
  expect(out).toMatch(/imagecache-sample-test .* Ready +both +the best/);
});
