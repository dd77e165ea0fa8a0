/** What a caller learns from the answer to a Binding if it is not known to be an API server. */
import { describe, expect, it } from 'vitest';
import { AddressList } from '../../src/http/address-list.ts';
import { readPod } from '../../src/core/pod.ts';
import { admissionReview } from '../support/admission.ts';
import { buildTestApp } from '../support/app.ts';
import {
  cacheObject,
  configWith,
  indexOf,
  nodeObject,
  podObject,
  type ConfigChange,
  type Json,
} from '../support/objects.ts';

const P = 'k8s.aliyun.com/';
const SECRETS = ['bank-secret', 'imc-of-the-bank', 'ledger', 'team-bank', 'forbidden-degree'];
const BINDING = {
  apiVersion: 'v1',
  kind: 'Binding',
  metadata: { name: 'secretive', namespace: 'bank' },
  target: { kind: 'Node', name: 'virtual-kubelet' },
};

interface Told {
  readonly text: string;
  readonly annotations: Json;
  readonly response: Json;
}

async function ask(pod: Json, isKnown: boolean, change: ConfigChange = {}): Promise<Told> {
  const index = indexOf(
    cacheObject({ name: 'c', images: ['ledger:1'] }),
    cacheObject({ name: 'not-ready', id: 'imc-of-the-bank', phase: 'Creating', images: ['x:1'] }),
    nodeObject('virtual-kubelet', {}),
  );
  const { app } = buildTestApp({
    view: index,
    decision: configWith({ bindTime: true, ...change }),
    now: () => index.confirmedAtMs() ?? 0,
    apiServers: new AddressList(isKnown ? ['127.0.0.1'] : []),
    findUnboundPod: () => Promise.resolve({ pod: readPod(pod, 'bank'), from: 'watch' }),
  });
  const { body } = await app.inject({
    method: 'POST',
    url: '/mutate',
    headers: { 'content-type': 'application/json' },
    payload: JSON.stringify(
      admissionReview(BINDING, {
        kind: { group: '', version: 'v1', kind: 'Binding' },
        subResource: 'binding',
        namespace: 'bank',
      }),
    ),
  });
  const { response } = JSON.parse(body) as { response: Json };
  const patch =
    typeof response['patch'] === 'string' ? Buffer.from(response['patch'], 'base64').toString('utf8') : '[]';
  const operations = JSON.parse(patch) as { path: string; value: unknown }[];
  const annotations = Object.assign(
    {},
    ...operations.map(({ path, value }) => (path === '/metadata/annotations' ? value : { [path]: value })),
  ) as Json;
  await app.close();
  return { text: body + patch, annotations, response };
}

const secretive = (annotations: Record<string, string>): Json => ({
  ...podObject({ images: ['ledger:1'], labels: { team: 'team-bank' } }),
  metadata: { name: 'secretive', labels: { team: 'team-bank' }, annotations },
});

describe('a caller that is not known to be an API server', () => {
  it.each<[string, Record<string, string>, ConfigChange]>([
    ['a hit', { 'example.com/note': 'bank-secret', [`${P}imc-match-count-request`]: '1' }, {}],
    [
      'a pin that must be repeated under another name',
      { [`${P}eci-image-snapshot-id`]: 'imc-of-the-bank' },
      { pin: { notReady: 'warn' } },
    ],
    ['a pin that is denied', { [`${P}eci-imc-id`]: 'imc-of-the-bank' }, {}],
    ['a malformed request', { [`${P}imc-match-count-request`]: 'forbidden-degree' }, {}],
    [
      'a denied malformed request',
      { [`${P}imc-match-count-request`]: 'forbidden-degree' },
      { onInvalidAnnotation: 'deny' },
    ],
    [
      'a record of an earlier decision',
      {
        'imagecache-webhook.io/decision': '{"outcome":"hit","why":"bank-secret","wrote":{"annotations":{}}}',
      },
      {},
    ],
  ])('learns nothing that was read from the pod: %s', async (_title, annotations, change) => {
    const { text } = await ask(secretive(annotations), false, change);
    for (const secret of SECRETS) expect(text).not.toContain(secret);
    const { text: known } = await ask(secretive(annotations), true, change);
    expect(known.length).toBeGreaterThan(text.length);
  });

  it('is told the ID that was chosen, and a record of what is written, so that a copy of the pod is decided anew', async () => {
    const { annotations, response } = await ask(secretive({}), false);
    expect(annotations).toEqual({
      [`${P}eci-imc-id`]: 'imc-c',
      'imagecache-webhook.io/decision':
        '{"outcome":"hit","wrote":{"annotations":{"k8s.aliyun.com/eci-imc-id":"imc-c"}}}',
      '/metadata/labels': { 'imagecache-webhook.io/outcome': 'hit' },
    });
    expect(response).not.toHaveProperty('warnings');
  });

  it('is told the marker and the switch for ECI after a miss', async () => {
    const pod = { ...secretive({}), spec: { containers: [{ name: 'c', image: 'other:1' }] } };
    const { annotations } = await ask(pod, false, { createOnMiss: { by: 'controller' } });
    expect(annotations).toMatchObject({
      [`${P}eci-auto-imc`]: 'false',
      'imagecache-webhook.io/create-on-miss': expect.stringMatching(/^[0-9a-f]{32}$/) as string,
    });
  });

  it('is told of a denial without the reason in words', async () => {
    const { response } = await ask(secretive({ [`${P}eci-imc-id`]: 'imc-of-the-bank' }), false);
    expect(response).toMatchObject({
      allowed: false,
      status: { code: 422, message: "the image cache of the pod cannot be used; the webhook's log says why" },
    });
  });
});

it.each(['..', '.', 'a/../b', 'UPPER', 'x'.repeat(254), ''])(
  'a pod or a namespace cannot be named %j: nobody is asked for it',
  async (name) => {
    let asked = 0;
    const { app } = buildTestApp({
      decision: configWith({ bindTime: true }),
      findUnboundPod: () => {
        asked += 1;
        return Promise.reject(new Error('asked'));
      },
    });
    for (const change of [{ name }, { namespace: name }]) {
      const object = { ...BINDING, metadata: { ...BINDING.metadata, ...change } };
      const review = admissionReview(object, {
        subResource: 'binding',
        ...('namespace' in change && { namespace: name }),
      });
      const { statusCode } = await app.inject({
        method: 'POST',
        url: '/mutate',
        headers: { 'content-type': 'application/json' },
        payload: JSON.stringify(review),
      });
      expect(statusCode).toBe(200);
    }
    expect(asked).toBe(name === '' ? 1 : 0);
    await app.close();
  },
);
