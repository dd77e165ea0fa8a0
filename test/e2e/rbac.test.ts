/** The service account's rights and their use: the API server's audit log against the chart's rules. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { admissionReview } from '../support/admission.ts';
import { eventually } from '../support/eventually.ts';
import { podObject, type Json } from '../support/objects.ts';
import {
  startCluster,
  installCrd,
  metadataOf,
  putImageCache,
  readManifest,
  readRules,
  register,
  runPod,
  startInCluster,
} from './support/cluster.ts';
import type { ControlPlane } from './support/control-plane.ts';
import { startProxy } from './support/proxy.ts';
import { audited, granted, refusedOf, used } from './support/rights.ts';

const CONFIG_MAPS = '/api/v1/namespaces/kube-system/configmaps';
const VIRTUAL = 'virtual-kubelet';

let plane: ControlPlane;
beforeAll(async () => {
  plane = await startCluster({ bindTime: true });
  await installCrd(plane.api, readManifest('test/e2e/fixtures/selectors-crd.yaml'));
  await putImageCache(plane.api, { name: 'a', images: ['a:1'] });
});
afterAll(() => plane?.stop());

describe('with bindTime, the rights of the webhook', () => {
  it('are all used, and no request is refused', async () => {
    await using proxy = await startProxy(plane);
    await using webhook = await startInCluster(plane, { bindTime: 'true', maxStaleness: '3s' }, proxy);
    await webhook.synced;
    await register(plane.api, 'imagecache-webhook', webhook);
    // The watch does not deliver this pod, so that the webhook has to GET it.
    proxy.garble = () => Buffer.alloc(0);
    const { name } = metadataOf(await runPod(plane.api, { images: ['a:1'] }));
    const pods = '/api/v1/namespaces/default/pods';
    await plane.api.create(`${pods}/${name}/binding`, {
      metadata: { name },
      target: { kind: 'Node', name: VIRTUAL },
    });
    proxy.garble = undefined;
    expect(metadataOf(await plane.api.get(`${pods}/${name}`)).annotations).toMatchObject({
      'k8s.aliyun.com/eci-imc-id': 'imc-a',
    });
    // This profile cannot be read, so that the webhook writes an Event.
    await plane.api.create(CONFIG_MAPS, { metadata: { name: 'eci-profile' }, data: { selectors: '{' } });
    await eventually(async () => {
      const events = await plane.api.list('/api/v1/namespaces/kube-system/events');
      expect(events.map(({ reason }) => reason)).toContain('InvalidEciProfile');
    });
    const rights = [
      ...granted(readRules('cluster-rules.yaml')),
      ...granted(readRules('bind-time-rules.yaml')),
      ...granted(readRules('kube-system-rules.yaml'), 'kube-system'),
    ];
    // A watch is in the log once it has ended.
    await eventually(() => {
      expect([...new Set(audited(plane.auditLog).map(used))].toSorted()).toEqual(rights.toSorted());
    });
    expect(refusedOf(audited(plane.auditLog))).toEqual([]);
  });

  it('are named by /readyz if they are missing, and pods are allowed meanwhile', async () => {
    const role = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/imagecache-webhook';
    const binding = await plane.api.get(role);
    await plane.api.remove(role);
    await using webhook = await startInCluster(plane, { maxStaleness: '3s' });
    await eventually(async () => {
      const { status, body } = await webhook.get('/readyz');
      expect([status, body]).toEqual([
        503,
        expect.objectContaining({
          status: 'the source has not been read yet',
          problems: expect.arrayContaining([
            expect.stringMatching(/^ImageCache: HTTP 403: imagecaches.* is forbidden/),
            expect.stringMatching(/^Node: HTTP 403: /),
          ]) as unknown,
        }),
      ]);
    });
    const response = await webhook.review(admissionReview(podObject({ images: ['a:1'] })));
    expect(response).toMatchObject({ allowed: true, auditAnnotations: { reason: 'IndexNotSynced' } });
    const { metadata: _, ...rest } = binding;
    await plane.api.create('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      ...rest,
      metadata: { name: 'imagecache-webhook' },
    });
    await webhook.synced;
  });

  it('do not include reading a Secret or another ConfigMap, or writing a pod', async () => {
    const asAccount = async (attributes: Json): Promise<boolean> => {
      const { status } = await plane.api.create('/apis/authorization.k8s.io/v1/subjectaccessreviews', {
        spec: {
          user: 'system:serviceaccount:imagecache-webhook:imagecache-webhook',
          groups: [
            'system:serviceaccounts',
            'system:serviceaccounts:imagecache-webhook',
            'system:authenticated',
          ],
          resourceAttributes: attributes,
        },
      });
      return (status as { allowed: boolean }).allowed;
    };
    expect(await asAccount({ verb: 'watch', resource: 'nodes' })).toBe(true);
    for (const attributes of [
      { verb: 'get', resource: 'secrets', namespace: 'default' },
      { verb: 'list', resource: 'configmaps', namespace: 'kube-system' },
      { verb: 'list', resource: 'configmaps', namespace: 'kube-system', name: 'coredns' },
      { verb: 'update', resource: 'configmaps', namespace: 'kube-system', name: 'eci-profile' },
      { verb: 'create', resource: 'events', namespace: 'default' },
      { verb: 'patch', resource: 'pods', namespace: 'default' },
      { verb: 'create', resource: 'pods', subresource: 'binding', namespace: 'default' },
      { verb: 'create', group: 'eci.alibabacloud.com', resource: 'imagecaches' },
      { verb: 'patch', resource: 'nodes' },
    ]) {
      expect(await asAccount(attributes), JSON.stringify(attributes)).toBe(false);
    }
  });
});
