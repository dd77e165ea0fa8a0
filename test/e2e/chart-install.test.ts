/**
 * The chart as helm installs it: its pods run as its service account, the API server calls them by its Service, and
 * trusts the CA that they keep. The tests depend on one another: they follow one release.
 */
import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { imc } from '../support/imc.ts';
import type { Json } from '../support/objects.ts';
import { temporaryFolder } from '../support/webhook.ts';
import { find, NAMESPACE, Release, RELEASE, untilRolledOut } from './support/chart.ts';
import { metadataOf, putImageCache, runPod, type Rule } from './support/cluster.ts';
import { ADMIN_TOKEN, kubeconfig, startControlPlane, type ControlPlane } from './support/control-plane.ts';
import { canHaveAddresses, Kubelet } from './support/kubelet.ts';
import { createPod, createPodsWithoutEnd, isDecided } from './support/pod-load.ts';
import { audited, granted, refusedOf, unusedBy, usedBy } from './support/rights.ts';

const CONFIGURATION = `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${RELEASE}`;
const SECRET = `/api/v1/namespaces/${NAMESPACE}/secrets/${RELEASE}-ca`;
const NAME = `${RELEASE}.${NAMESPACE}.svc`;

describe.skipIf(!canHaveAddresses())('the chart, installed', () => {
  let plane: ControlPlane;
  let kubelet: Kubelet;
  let release: Release;
  let objects: Json[];
  const values = { config: { shutdownDelay: '2s' } };

  beforeAll(async () => {
    plane = await startControlPlane();
    release = new Release(plane);
    await plane.api.create('/api/v1/namespaces', {
      metadata: { name: NAMESPACE, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    });
    objects = await release.upgrade(values);
    await putImageCache(plane.api, { name: 'a', images: ['a:1'] });
    kubelet = new Kubelet(plane, NAMESPACE);
    await kubelet.start();
    await kubelet.untilReady(2);
    await untilTrusted();
  });
  afterAll(async () => {
    await kubelet?.[Symbol.asyncDispose]();
    await plane?.stop();
  });

  async function caBundles(): Promise<string[]> {
    const { webhooks } = await plane.api.get(CONFIGURATION);
    return (webhooks as { clientConfig: { caBundle?: string } }[]).map(({ clientConfig }) =>
      Buffer.from(clientConfig.caBundle ?? '', 'base64').toString(),
    );
  }

  async function secretData(): Promise<Record<string, string>> {
    const { data } = await plane.api.get(SECRET);
    return Object.fromEntries(
      Object.entries((data ?? {}) as Record<string, string>).map(([key, value]) => [
        key,
        Buffer.from(value, 'base64').toString(),
      ]),
    );
  }

  /** Connects to a replica as an API server with this caBundle does. @returns the replica's certificate */
  async function meet(address: string, ca: string): Promise<X509Certificate> {
    const socket = connect({ host: address, port: 8443, ca, servername: NAME });
    await once(socket, 'secureConnect');
    const certificate = socket.getPeerX509Certificate()!;
    socket.destroy();
    return certificate;
  }

  /** Waits until every replica serves with a certificate of the CA in the configuration, and pods are decided. */
  async function untilTrusted(): Promise<void> {
    await eventually(async () => {
      const [bundle] = await caBundles();
      expect(bundle).toContain((await secretData())['ca.crt']);
      for (const { address } of kubelet.pods()) await meet(address, bundle!);
      const { body } = await createPod(plane.api);
      expect(isDecided(JSON.parse(body) as Json)).toBe(true);
    }, 20_000);
  }

  /** The problems of each replica, from its /readyz. */
  const problems = (): Promise<string[][]> =>
    Promise.all(
      kubelet.pods().map(async ({ address }) => {
        const answer = await plane.api.send('GET', readyzPath(address));
        return (JSON.parse(answer.body) as { problems: string[] }).problems;
      }),
    );
  const readyzPath = (address: string): string => {
    const pod = kubelet.pods().find((each) => each.address === address)!;
    return `/api/v1/namespaces/${NAMESPACE}/pods/https:${pod.name}:8443/proxy/readyz`;
  };

  it('decides pods, and both replicas serve with certificates of one CA', async () => {
    const pod = await runPod(plane.api, { images: ['a:1'], labels: { 'alibabacloud.com/eci': 'true' } });
    expect(metadataOf(pod).annotations).toMatchObject({ 'k8s.aliyun.com/eci-imc-id': 'imc-a' });
    const data = await secretData();
    expect(Object.keys(data).toSorted()).toEqual(['ca.crt', 'ca.key']);
    expect(await caBundles()).toEqual([data['ca.crt']]);
    const met = await Promise.all(kubelet.pods().map(({ address }) => meet(address, data['ca.crt']!)));
    expect(new Set(met.map(({ serialNumber }) => serialNumber)).size).toBe(2);
    expect(await problems()).toEqual([[], []]);
  });

  it('sends no pod of its own namespace, of kube-system, or with the label that opts out', async () => {
    const pod = (labels: Record<string, string> = {}, namespace = 'default'): Promise<Json> =>
      plane.api.create(`/api/v1/namespaces/${namespace}/pods?dryRun=All`, {
        metadata: { name: 'left-alone', labels: { 'alibabacloud.com/eci': 'true', ...labels } },
        spec: {
          // The namespace of the release accepts only restricted pods.
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
          containers: [
            {
              name: 'c',
              image: 'a:1',
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
            },
          ],
        },
      });
    expect(isDecided(await pod())).toBe(true);
    expect(isDecided(await pod({ 'imagecache-webhook.io/webhook': 'disabled' }))).toBe(false);
    await plane.api.untilPodsCanBeCreated('kube-system');
    expect(isDecided(await pod({}, 'kube-system'))).toBe(false);
    expect(isDecided(await pod({}, NAMESPACE))).toBe(false);
  });

  it('writes the caBundle again if somebody has removed it', async () => {
    const [before] = await caBundles();
    const { webhooks } = await plane.api.get(CONFIGURATION);
    const [webhook] = webhooks as { name: string; clientConfig: Json }[];
    await plane.api.merge(CONFIGURATION, {
      webhooks: [{ ...webhook, clientConfig: { ...webhook!.clientConfig, caBundle: null } }],
    });
    await eventually(async () => expect(await caBundles()).toEqual([before]));
    await untilTrusted();
  });

  it('passes helm test, which leaves nothing behind', async () => {
    expect(await release.test()).toMatch(/Phase: +Succeeded/);
    const leftOf = async (path: string): Promise<string[]> =>
      (await plane.api.list(path))
        .map((each) => metadataOf(each).name)
        .filter((name) => name.endsWith('-check'));
    await eventually(async () => {
      for (const path of ['/api/v1/pods', '/api/v1/serviceaccounts'])
        expect(await leftOf(path), path).toEqual([]);
      for (const kind of ['roles', 'rolebindings'])
        expect(await leftOf(`/apis/rbac.authorization.k8s.io/v1/${kind}`), kind).toEqual([]);
    });
  });

  it('keeps its CA when the release is upgraded, and loses no request while its replicas are replaced', async () => {
    const before = await secretData();
    const former = new Set(kubelet.pods().map(({ name }) => name));
    await using load = createPodsWithoutEnd(plane.api);
    await load.untilMore(20);
    await release.upgrade({ config: { ...values.config, logLevel: 'debug' } });
    await eventually(() => {
      const names = kubelet.pods().map(({ name }) => name);
      expect(names.filter((name) => former.has(name))).toEqual([]);
    }, 60_000);
    await kubelet.untilReady(2);
    await load.untilMore(100);
    await load.stop();
    expect(load.counts).toMatchObject({ untouched: 0, refused: [] });
    expect(await secretData()).toEqual(before);
  });

  it('makes a new CA at once if the Secret is emptied, as after a theft', async () => {
    const before = await secretData();
    await plane.api.merge(SECRET, { data: null });
    await eventually(async () => expect((await secretData())['ca.crt']).toBeTruthy());
    await untilTrusted();
    const after = await secretData();
    expect(after['ca.crt']).not.toBe(before['ca.crt']);
    expect(await caBundles()).toEqual([after['ca.crt']]);
  });

  it('keeps its CA if the Secret cannot be read, and reports that', async () => {
    const before = await secretData();
    await plane.api.merge(SECRET, { data: { 'ca.crt': Buffer.from('text').toString('base64') } });
    const said = `Secret ${NAMESPACE}/${RELEASE}-ca cannot be read: ca.crt is no PEM certificate`;
    await eventually(async () => {
      for (const each of await problems()) expect(each.join()).toContain(said);
    });
    expect(await caBundles()).toEqual([before['ca.crt']]);
    const { body } = await createPod(plane.api);
    expect(isDecided(JSON.parse(body) as Json)).toBe(true);
    expect((await secretData())['ca.crt']).toBe('text');
    await plane.api.merge(SECRET, {
      data: { 'ca.crt': Buffer.from(before['ca.crt']!).toString('base64') },
    });
    await eventually(async () => expect(await problems()).toEqual([[], []]));
  });

  it('fails no request while its CA is replaced, at whatever moment a client connects', async () => {
    await release.upgrade({ ...values, certificates: { lifetime: '42s' } });
    await untilRolledOut(plane.api);
    await kubelet.untilReady(2);
    await plane.api.merge(SECRET, { data: null });
    await eventually(async () => expect((await secretData())['ca.crt']).toBeTruthy());
    await untilTrusted();
    const first = (await secretData())['ca.crt']!;

    await using load = createPodsWithoutEnd(plane.api);
    const seen = new Set<string>();
    let met = 0;
    for (const until = Date.now() + 120_000; ;) {
      const data = await secretData();
      if (data['ca.crt'] !== first && data['previous-ca.crt'] === undefined) break;
      expect(Date.now(), 'the CA was replaced, and the old one is gone').toBeLessThan(until);
      const [bundle] = await caBundles();
      // An API server may use a former bundle for a while, which this pause imitates.
      await sleep(200);
      for (const { address, ending } of kubelet.pods()) {
        // A replica that was told to end may be gone before the connection.
        if (ending) continue;
        const { serialNumber } = await meet(address, bundle!);
        seen.add(serialNumber).add(bundle!);
        met += 1;
      }
    }
    await load.stop();
    expect(load.counts).toMatchObject({ untouched: 0, refused: [] });
    expect(load.counts.decided).toBeGreaterThan(500);
    expect(met).toBeGreaterThan(100);
    const bundles = [...seen].filter((each) => each.includes('BEGIN'));
    expect(bundles).toEqual([first, expect.stringContaining(first)]);
  });

  it('decides at bindings once bindTime is switched on, with the same CA for the webhook of bindings', async () => {
    objects = await release.upgrade({ config: { ...values.config, bindTime: true } });
    await untilRolledOut(plane.api);
    await eventually(async () => {
      const [first, second] = await caBundles();
      expect([first, second]).toEqual([(await secretData())['ca.crt'], first]);
    }, 60_000);
    await kubelet.untilReady(2);
    await eventually(async () => {
      const { name, annotations } = metadataOf(await runPod(plane.api, { images: ['a:1'] }));
      expect(annotations).toEqual({});
      const path = `/api/v1/namespaces/default/pods/${name}`;
      await plane.api.create(`${path}/binding`, {
        metadata: { name },
        target: { kind: 'Node', name: 'virtual-kubelet' },
      });
      expect(metadataOf(await plane.api.get(path)).annotations).toMatchObject({
        'k8s.aliyun.com/eci-imc-id': 'imc-a',
      });
    });
  });

  it('gives advice on workloads, which the API server trusts it for', async () => {
    const labels = { app: 'advised' };
    const { headers, status } = await plane.api.send('POST', '/apis/apps/v1/namespaces/default/deployments', {
      metadata: { name: 'advised', annotations: { 'k8s.aliyun.com/eci-imc-id': 'imc-a' } },
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'a:1' }] } },
      },
    });
    expect(status).toBe(201);
    expect(String(headers['warning'])).toContain('does nothing on a Deployment, only on its pods');
  });

  it('passes imc check, which asks each replica how old its index is', async () => {
    const folder = temporaryFolder({ kubeconfig: kubeconfig(plane.url, plane.ca, { token: ADMIN_TOKEN }) });
    const args = ['check', '--kubeconfig', `${folder.path}/kubeconfig`];
    const configuration = ['--tls-managed-webhook-configuration', RELEASE];
    await eventually(async () => {
      const { out, err } = await imc([...args, ...configuration, '-o', 'json']);
      expect(err).toBe('');
      const findings = out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { check: string; result: string; says: string });
      expect(findings.map(({ check, result, says }) => [check, result, says])).toEqual([
        ['pods', 'ok', expect.stringContaining('The webhook decides pods of namespace default')],
        ['installation', 'ok', `2 replicas are ready behind Service ${NAMESPACE}/${RELEASE}.`],
        ['trust', 'ok', expect.stringContaining('The API server trusts a CA that is valid until')],
        ['rights', 'ok', expect.stringContaining(`and ${NAMESPACE}/${RELEASE} what the webhook needs`)],
        ['quota', 'ok', expect.stringContaining('1 of 500 manual caches')],
        ['staleness', 'ok', expect.stringContaining('The API server confirmed every index')],
      ]);
    }, 30_000);
    const wrong = await imc([
      ...args,
      '--tls-managed-webhook-configuration',
      'absent',
      '--only',
      'installation',
    ]);
    expect(wrong).toMatchObject({
      code: 1,
      out: expect.stringContaining('There is no MutatingWebhookConfiguration absent') as string,
    });
    folder.remove();
  });

  it('was refused no request, and used every right that its CA needs', async () => {
    const rules = (kind: string, name?: string): Rule[] => find(objects, kind, name)['rules'] as Rule[];
    const ofAuthority = granted(rules('Role', `${RELEASE}-ca`), NAMESPACE);
    const all = [...granted(rules('ClusterRole')), ...granted(rules('Role'), 'kube-system'), ...ofAuthority];
    const account = `system:serviceaccount:${NAMESPACE}:${RELEASE}`;
    const events = audited(plane.auditLog);
    expect(refusedOf(events.filter(({ user }) => user.username === account))).toEqual([]);
    const done = usedBy(events, account);
    expect(done.filter((each) => !all.includes(each))).toEqual([]);
    const ofConfiguration = all.filter((each) => each.includes('webhookconfigurations'));
    expect(ofConfiguration.length).toBe(6);
    expect(unusedBy(events, account, [...ofAuthority, ...ofConfiguration])).toEqual([]);
    expect(usedBy(events, `${account}-check`)).toEqual(['create pods/* in *']);
  });
});
