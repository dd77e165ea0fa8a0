/**
 * The installed webhook with certificates from elsewhere, also when its replicas hang, die or cannot be reached: pods
 * are still created.
 */
import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthority, issueServingCertificate, type KeyPair } from '../../src/tls/authority.ts';
import { eventually } from '../support/eventually.ts';
import { sendHttps } from '../support/https.ts';
import type { Json } from '../support/objects.ts';
import { runWebhook, temporaryFolder } from '../support/webhook.ts';
import { NAMESPACE, Release, RELEASE } from './support/chart.ts';
import { metadataOf, putImageCache } from './support/cluster.ts';
import { kubeconfig, startControlPlane, type ControlPlane } from './support/control-plane.ts';
import { canHaveAddresses, Kubelet } from './support/kubelet.ts';
import { createPod, createPodsWithoutEnd, isDecided } from './support/pod-load.ts';

const SECRETS = `/api/v1/namespaces/${NAMESPACE}/secrets`;
const NAME = `${RELEASE}.${NAMESPACE}.svc`;
/** Milliseconds that the API server waits, by the chart. */
const TIMEOUT = 2000;

const authority = createAuthority(Date.now());
const issue = (): KeyPair => issueServingCertificate(authority, [NAME], Date.now());
const encoded = ({ cert, key }: KeyPair): Json => ({
  'tls.crt': Buffer.from(cert).toString('base64'),
  'tls.key': Buffer.from(key).toString('base64'),
});

describe.skipIf(!canHaveAddresses())('the chart, installed with certificates from elsewhere', () => {
  let plane: ControlPlane;
  let kubelet: Kubelet;
  let release: Release;
  const values = {
    config: { shutdownDelay: '1s' },
    certificates: { mode: 'files', files: { secretName: 'brought', caBundle: authority.cert } },
  };
  beforeAll(async () => {
    plane = await startControlPlane();
    release = new Release(plane);
    await plane.api.create('/api/v1/namespaces', { metadata: { name: NAMESPACE } });
    await plane.api.create(SECRETS, {
      metadata: { name: 'brought' },
      type: 'kubernetes.io/tls',
      data: encoded(issue()),
    });
    await release.upgrade(values);
    await putImageCache(plane.api, { name: 'a', images: ['a:1'] });
    kubelet = new Kubelet(plane, NAMESPACE);
    await kubelet.start();
    await untilDecided();
  });
  afterAll(async () => {
    await kubelet?.[Symbol.asyncDispose]();
    await plane?.stop();
  });

  async function untilDecided(): Promise<void> {
    await kubelet.untilReady(2);
    await eventually(async () => expect(await create()).toMatchObject({ decided: true }));
  }

  /** Creates a pod. @returns whether it was decided, and how many milliseconds its creation took */
  async function create(): Promise<{ decided: boolean; took: number }> {
    const began = performance.now();
    const { status, body } = await createPod(plane.api);
    expect(status, body).toBe(201);
    return { decided: isDecided(JSON.parse(body) as Json), took: performance.now() - began };
  }

  const signalAll = (signal: NodeJS.Signals): void => {
    for (const { process } of kubelet.pods()) process.kill(signal);
  };

  it('uses renewed certificates under load, and fails no request', async () => {
    const serials = (): Promise<string[]> =>
      Promise.all(
        kubelet.pods().map(async ({ address }) => {
          const socket = connect({ host: address, port: 8443, ca: authority.cert, servername: NAME });
          await once(socket, 'secureConnect');
          const { serialNumber }: X509Certificate = socket.getPeerX509Certificate()!;
          socket.destroy();
          return serialNumber;
        }),
      );
    const before = new Set(await serials());
    await using load = createPodsWithoutEnd(plane.api);
    await load.untilMore(20);
    await plane.api.merge(`${SECRETS}/brought`, { data: encoded(issue()) });
    await eventually(async () => {
      expect((await serials()).filter((serial) => before.has(serial))).toEqual([]);
    });
    await load.untilMore(50);
    await load.stop();
    expect(load.counts).toMatchObject({ untouched: 0, refused: [] });
  });

  /** Expects that helm test fails because the webhook did not decide its pod. */
  async function failTest(): Promise<void> {
    await expect(release.test()).rejects.toThrow(/imagecache-webhook-check.*[Ff]ailed/);
    const log = kubelet.pods('check').flatMap((pod) => pod.log);
    expect(log.join('\n')).toContain('The webhook did not decide a pod of namespace default');
  }

  it('passes helm test, fails it while its Service has no endpoints, and passes it afterwards', async () => {
    expect(await release.test()).toMatch(/Phase: +Succeeded/);
    const service = `/api/v1/namespaces/${NAMESPACE}/services/${RELEASE}`;
    const { spec } = await plane.api.get(service);
    const { selector } = spec as { selector: Json };
    await plane.api.merge(service, { spec: { selector: { 'app.kubernetes.io/component': 'another' } } });
    await kubelet.untilEndpoints(0);
    // An API server goes on with the connections that it has, whatever the Service says.
    signalAll('SIGKILL');
    await eventually(async () => expect(await create()).toMatchObject({ decided: false }));
    await failTest();
    const roles = await plane.api.list('/apis/rbac.authorization.k8s.io/v1/roles');
    expect(roles.filter((role) => metadataOf(role).name.endsWith('-check'))).toEqual([]);
    await plane.api.merge(service, { spec: { selector } });
    await untilDecided();
    expect(await release.test()).toMatch(/Phase: +Succeeded/);
  });

  it('fails helm test if the caBundle is that of another CA', async () => {
    const { cert: caBundle } = createAuthority(Date.now());
    const { files } = values.certificates;
    await release.upgrade({
      ...values,
      certificates: { ...values.certificates, files: { ...files, caBundle } },
    });
    await eventually(async () => expect(await create()).toMatchObject({ decided: false }));
    await failTest();
    await release.rollback();
    await untilDecided();
  });

  it('has a pod created unchanged after the timeout of the API server, if both replicas hang', async () => {
    signalAll('SIGSTOP');
    const { decided, took } = await create();
    expect(decided).toBe(false);
    expect(took).toBeLessThan(3 * TIMEOUT);
    signalAll('SIGCONT');
    await untilDecided();
  });

  it('has a pod created unchanged if both replicas die while they have its request', async () => {
    signalAll('SIGSTOP');
    const created = create();
    // The time that the API server may take to send the request, because nothing shows that it has sent it.
    await sleep(500);
    signalAll('SIGKILL');
    expect(await created).toMatchObject({ decided: false });
    await untilDecided();
  });

  it('has pods created unchanged if both replicas are gone, until they are back', async () => {
    kubelet.restarts = false;
    signalAll('SIGKILL');
    await Promise.all(kubelet.pods().map(({ process }) => once(process, 'exit')));
    for (let i = 0; i < 5; i++) {
      const { decided, took } = await create();
      expect(decided).toBe(false);
      expect(took).toBeLessThan(TIMEOUT);
    }
    kubelet.restarts = true;
    await untilDecided();
  });

  it('decides every pod if one replica is left, once the cluster knows that the other is gone', async () => {
    kubelet.restarts = false;
    const [first] = kubelet.pods();
    first!.process.kill('SIGKILL');
    await eventually(() => expect(first!.ready).toBe(false));
    await eventually(async () => {
      for (let i = 0; i < 10; i++) expect(await create()).toMatchObject({ decided: true });
    });
    kubelet.restarts = true;
    await untilDecided();
  });
});

it('without an API server the webhook serves /healthz, and /readyz says that it has no certificate yet', async () => {
  const { cert: ca } = createAuthority(Date.now());
  // A port on which nothing listens.
  const folder = temporaryFolder({ kubeconfig: kubeconfig('https://127.0.0.1:1', ca, { token: 'token' }) });
  const webhook = await runWebhook('', {
    source: 'kubernetes',
    kubeconfig: `${folder.path}/kubeconfig`,
    'tls.managed.secret': 'a/b',
  });
  const get = (path: string): Promise<{ status: number; body: string }> =>
    // As the kubelet, which verifies no certificate.
    sendHttps(webhook.address + path, { method: 'GET', rejectUnauthorized: false });
  expect((await get('/healthz')).status).toBe(200);
  await eventually(async () => {
    const { status, body } = await get('/readyz');
    const { problems, ...rest } = JSON.parse(body) as { problems: string[] };
    expect([status, rest]).toEqual([
      503,
      expect.objectContaining({ status: 'there is no certificate yet that clients trust' }),
    ]);
    expect(problems.join('\n')).toMatch(/^Secret: connect ECONNREFUSED/m);
  });
  await webhook.stop();
  folder.remove();
});
