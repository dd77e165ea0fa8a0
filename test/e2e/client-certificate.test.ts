/** A real API server that shows its certificate to webhooks, and a webhook that requires a certificate. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthority } from '../../src/tls/authority.ts';
import { issueClientCertificate } from '../support/client-certificate.ts';
import { temporaryFolder } from '../support/webhook.ts';
import {
  IMAGE_CACHE_CRD,
  installAccount,
  installCrd,
  metadataOf,
  putImageCache,
  register,
  runPod,
  startInCluster,
  unregister,
} from './support/cluster.ts';
import { startControlPlane, type ControlPlane } from './support/control-plane.ts';

const authority = createAuthority(Date.now());

describe('an API server with a certificate for webhooks', () => {
  const folder = temporaryFolder({ 'ca.crt': authority.cert });
  let plane: ControlPlane;
  beforeAll(async () => {
    plane = await startControlPlane({ webhookClient: issueClientCertificate(authority, 'kube-apiserver') });
    await installCrd(plane.api, IMAGE_CACHE_CRD);
    await installAccount(plane.api, {});
    await putImageCache(plane.api, { name: 'a', images: ['a:1'] });
  });
  afterAll(async () => {
    await plane?.stop();
    folder.remove();
  });

  it.each([
    ['kube-apiserver', 'imc-a'],
    ['another', undefined],
  ])('gets decisions only if tls.clientNames has its name, here %s', async (name, decided) => {
    await using webhook = await startInCluster(plane, {
      'tls.clientCa': `${folder.path}/ca.crt`,
      'tls.clientNames': name,
    });
    await webhook.synced;
    await register(plane.api, name, webhook);
    const pod = runPod(plane.api, { images: ['a:1'], labels: { 'alibabacloud.com/eci': 'true' } });
    // The tests register webhooks with failurePolicy Fail, so that a refused request fails the pod.
    if (decided === undefined) await expect(pod).rejects.toThrow(/403|failed calling webhook/);
    else expect(metadataOf(await pod).annotations).toMatchObject({ 'k8s.aliyun.com/eci-imc-id': decided });
    await unregister(plane.api, name);
  });
});
