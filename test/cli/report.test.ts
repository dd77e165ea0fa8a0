import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imcHere } from '../support/imc.ts';
import { cacheObject, podObject, type Json } from '../support/objects.ts';
import { temporaryFolder } from '../support/webhook.ts';

let folder: ReturnType<typeof temporaryFolder>;
const EVIL = 'registry.example/<script>alert(1)</script>&"x"';

function pod(name: string, image: string, outcome: string, used?: string): Json {
  const { spec } = podObject({ images: [image] });
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      uid: name,
      labels: { 'alibabacloud.com/eci': 'true' },
      annotations: {
        'imagecache-webhook.io/decision': JSON.stringify({ outcome, why: '' }),
        'k8s.aliyun.com/eci-instance-id': name,
        ...(used !== undefined && { 'k8s.aliyun.com/eci-matched-image-cache': used }),
      },
    },
    spec,
  };
}

beforeAll(() => {
  folder = temporaryFolder();
  const legacy = podObject({ annotations: { 'k8s.aliyun.com/eci-image-cache': 'true' } });
  const objects = [
    cacheObject({ name: 'used', images: ['app:1'] }),
    cacheObject({ name: 'idle', images: ['old:1'], size: 50 }),
    pod('warm', 'app:1', 'hit', 'imc-used'),
    pod('cold', 'new:1', 'miss'),
    // Its cache was made meanwhile.
    pod('missed', 'app:1', 'miss'),
    pod('evil', EVIL, 'miss'),
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'old', namespace: 'shop' },
      spec: { template: { metadata: legacy['metadata'], spec: legacy['spec'] } },
    },
  ];
  for (const [i, object] of objects.entries()) folder.write(`${i}.yaml`, JSON.stringify(object));
});
afterAll(() => folder.remove());

const report = (...args: readonly string[]): ReturnType<typeof imcHere> =>
  imcHere(['report', '--source', `files:${folder.path}`, ...args]);

describe('imc report', () => {
  it('says how warm pods start, what would help, what nobody uses, and where older names are', async () => {
    const { code, out, err } = await report();
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain(
      'Decided warm: 25 % of 4 pods. Started from a cache: 25 % of 4 that ECI has placed.',
    );
    expect(out).toMatch(/^docker\.io\/library\/new:1 +1 +0 % +1 +0 %$/m);
    expect(out).toMatch(/^plan-[0-9a-f]{32} +1 +50 s +new:1$/m);
    expect(out).toMatch(/^idle +- +6\.00$/m);
    expect(out).not.toMatch(/^used /m);
    expect(out).toMatch(/^Deployment old +shop +k8s\.aliyun\.com\/eci-image-cache$/m);
    expect(out).toContain('Pods that went past the webhook: not known.');
  });

  it('prints one object with -o json, whose manifests are ready to apply', async () => {
    const { wouldHelp, all } = JSON.parse((await report('-o', 'json')).out) as {
      wouldHelp: { manifest: Json }[];
      all: Json;
    };
    expect(all).toEqual({ name: 'all', pods: 4, decidedWarm: 1, placed: 4, startedWarm: 1 });
    expect(wouldHelp.map(({ manifest }) => [manifest['kind'], manifest['spec']])).toEqual([
      ['ImageCache', { images: ['new:1'], imageCacheSize: 30 }],
    ]);
  });

  it('makes a page that loads nothing, runs nothing, and says each chart in a table too', async () => {
    const { out } = await report('-o', 'html');
    expect(out).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
    expect(out).not.toMatch(/<script|<link|<img|url\(|@import|\son\w+=|javascript:/i);
    expect(out.match(/(?:src|href)="[^"#]/g)).toBeNull();
    expect(out).toContain('&lt;script&gt;alert(1)');
    const charts = out.match(/<svg role="img" aria-label="[^"]+"/g) ?? [];
    expect(charts).toHaveLength(2);
    expect(out.match(/<table>/g)!.length).toBeGreaterThanOrEqual(charts.length);
    expect(out).toContain('<html lang="en">');
    expect(out).toMatch(/prefers-color-scheme: dark[^]*@media print/);
  });
});
