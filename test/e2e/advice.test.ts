/** What kubectl shows of advice: the API server calls POST /advise as the chart registers it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { Json } from '../support/objects.ts';
import { runOwned } from '../support/owned-process.ts';
import { CA, temporaryFolder } from '../support/webhook.ts';
import { find, renderChart } from './support/chart.ts';
import {
  installCrd,
  openCrd,
  putImageCache,
  startCluster,
  startInCluster,
  type WebhookInCluster,
} from './support/cluster.ts';
import type { ControlPlane } from './support/control-plane.ts';
import { findPrograms } from './support/programs.ts';

const K = 'k8s.aliyun.com/';
const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';

describe('advice at kubectl apply', () => {
  let plane: ControlPlane;
  let webhook: WebhookInCluster;
  let folder: ReturnType<typeof temporaryFolder>;

  beforeAll(async () => {
    folder = temporaryFolder();
    plane = await startCluster();
    await installCrd(plane.api, openCrd('argoproj.io', 'v1alpha1', 'Workflow'));
    await putImageCache(plane.api, { name: 'web', images: ['app:1'], phase: 'Creating', progress: '40%' });
    webhook = await startInCluster(plane);
    await webhook.synced;
    const { webhooks, ...configuration } = find(await renderChart({}), 'ValidatingWebhookConfiguration');
    const caBundle = Buffer.from(CA).toString('base64');
    await plane.api.create(CONFIGURATIONS, {
      ...configuration,
      webhooks: (webhooks as Json[]).map((each) => ({
        ...each,
        // A late answer on a busy machine must not be taken for a missing one.
        timeoutSeconds: 30,
        clientConfig: { url: `${webhook.address}/advise`, caBundle },
      })),
    });
    await eventually(async () => {
      expect(await apply(deployment('first', {}, { annotations: { [`${K}eci-imc-id`]: 'x' } }))).toContain(
        'Warning:',
      );
    }, 30_000);
  });
  afterAll(async () => {
    await webhook?.stop();
    await plane?.stop();
    folder?.remove();
  });

  /** @returns what kubectl prints */
  async function apply(object: Json): Promise<string> {
    const file = join(folder.path, 'object.json');
    writeFileSync(file, JSON.stringify(object));
    const { kubectl } = findPrograms('kubectl');
    // Warnings go to standard error.
    const script = '"$0" apply -f "$1" 2>&1';
    return runOwned('sh', ['-c', script, kubectl, file], {
      PATH: process.env['PATH'],
      HOME: folder.path,
      KUBECONFIG: plane.kubeconfig,
    });
  }

  function deployment(name: string, annotations: Json, metadata: Json = {}, spec: Json = {}): Json {
    return {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace: 'default', ...metadata },
      spec: {
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name, 'alibabacloud.com/eci': 'true' }, annotations },
          spec: { containers: [{ name: 'c', image: 'app:1' }] },
        },
        ...spec,
      },
    };
  }

  async function answers(): Promise<number> {
    const text = await (await fetch(`${webhook.metricsAddress}/metrics`)).text();
    return Number(/advice_request_seconds_count\{status="200"\} (\d+)/.exec(text)?.[1] ?? 0);
  }

  it('is a warning about the field at fault, and the workload is applied', async () => {
    const printed = await apply(deployment('web', { [`${K}eci-imc-id`]: 'imc-web' }));
    expect(printed).toContain(
      `Warning: spec.template.metadata.annotations[${K}eci-imc-id]: the pinned cache is Creating 40%, not Ready`,
    );
    expect(printed).toContain('deployment.apps/web created');
  });

  it('comes again if the pods change, and not if only the number of replicas does', async () => {
    const pinned = { [`${K}eci-imc-id`]: 'imc-web' };
    await apply(deployment('twice', pinned));
    // kubectl writes the whole object into an annotation, which changes.
    expect(await apply(deployment('twice', pinned, {}, { replicas: 2 }))).not.toContain('Warning:');
    expect(await apply(deployment('twice', { ...pinned, a: 'b' }, {}, { replicas: 2 }))).toContain(
      'not Ready',
    );
  });

  it('knows custom resources', async () => {
    const printed = await apply({
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Workflow',
      metadata: { name: 'w', namespace: 'default', annotations: { [`${K}eci-auto-imc`]: 'true' } },
      spec: { entrypoint: 't', templates: [{ name: 't', container: { image: 'app:1' } }] },
    });
    expect(printed).toContain(
      `Warning: metadata.annotations[${K}eci-auto-imc]: does nothing on a Workflow, only on its pods; write it to spec.podMetadata.annotations`,
    );
  });

  it('is not asked for what a controller made', async () => {
    const before = await answers();
    await plane.api.create(DEPLOYMENTS, deployment('rolled', {}));
    await eventually(async () => {
      const sets = await plane.api.list(
        '/apis/apps/v1/namespaces/default/replicasets?labelSelector=app=rolled',
      );
      expect(sets).toHaveLength(1);
      const { status } = await plane.api.get(`${DEPLOYMENTS}/rolled`);
      expect(status).toMatchObject({ observedGeneration: 1 });
    });
    // Once for the Deployment, and once more because its controller annotates it.
    expect((await answers()) - before).toBeLessThanOrEqual(2);
  });

  it('is missing if no replica answers, and the workload is applied all the same', async () => {
    await webhook.stop();
    const printed = await apply(deployment('alone', { [`${K}eci-imc-id`]: 'imc-web' }));
    expect(printed).toContain('deployment.apps/alone created');
    expect(printed).not.toContain('not Ready');
  });
});
