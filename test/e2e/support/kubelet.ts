/**
 * Does what a kubelet does for the chart's pods, as far as the API server can see it: runs the built program with the
 * arguments, variables, files and token of the pod, at an address of its own. It reports the readiness of each pod and
 * the end of pods that run once, and sends SIGTERM to deleted pods.
 */
import { execFileSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../support/eventually.ts';
import { sendHttps } from '../../support/https.ts';
import { end, hasEnded, spawnOwned } from '../../support/owned-process.ts';
import type { Json } from '../../support/objects.ts';
import { temporaryFolder } from '../../support/webhook.ts';
import type { ControlPlane } from './control-plane.ts';
import { kubeconfig } from './control-plane.ts';

/** The last number of the first pod's address. */
const FIRST_ADDRESS = 10;
const NODE = 'node-of-the-tests';
/** The mount path in the pods, in whose place the processes get a temporary folder. */
const MOUNT = '/etc/imagecache-webhook';
/** Milliseconds. */
const LOOK_EVERY = 200;
/** Milliseconds; each token is valid for an hour. */
const RENEW_TOKENS_AFTER = 60_000;
const SERVICES: Readonly<Record<string, string>> = {
  webhook: 'imagecache-webhook',
  controller: 'imagecache-webhook-controller',
};

/** Whether the tests may add addresses to this machine. */
export function canHaveAddresses(): boolean {
  try {
    const address = addressOf(0);
    changeLoopback('replace', address);
    changeLoopback('del', address);
    return true;
  } catch {
    return false;
  }
}

/** `replace` and not `add`, which fails if a killed run has left the address behind. */
function changeLoopback(action: 'replace' | 'del', address: string): void {
  execFileSync('ip', ['address', action, `${address}/32`, 'dev', 'lo'], { stdio: 'pipe' });
}

/**
 * An address that RFC 2544 reserves for tests, because the API server accepts no loopback addresses as endpoints. Test
 * files that run at the same time have different addresses.
 */
function addressOf(index: number): string {
  return `198.18.${process.env['VITEST_POOL_ID'] ?? 0}.${FIRST_ADDRESS + index}`;
}

interface Volume {
  readonly name: string;
  readonly configMap?: { readonly name: string };
  readonly secret?: { readonly secretName: string };
}

interface Container {
  readonly args: readonly string[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly readinessProbe?: {
    readonly httpGet: { readonly path: string; readonly port: string; readonly scheme: string };
  };
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

interface PodObject {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec: {
    readonly nodeName?: string;
    readonly serviceAccountName: string;
    readonly restartPolicy: 'Always' | 'Never';
    readonly volumes?: readonly Volume[];
    readonly containers: readonly Container[];
  };
}

export interface RunningPod {
  readonly name: string;
  /** `webhook` or `controller`. */
  readonly component: string;
  readonly address: string;
  /** The process that was started last. */
  process: ChildProcess;
  /** The lines that the processes of the pod have printed. */
  readonly log: string[];
  ready: boolean;
  /** Whether the pod has been deleted, and its process told to end. */
  ending: boolean;
}

interface Held extends RunningPod {
  readonly uid: string;
  /** The URL of the readiness probe; undefined if the pod has none. */
  readonly readinessUrl: string | undefined;
  readonly folder: ReturnType<typeof temporaryFolder>;
  readonly start: () => ChildProcess;
  /** When the pod last got a token. */
  tokenAt: number;
}

export class Kubelet implements AsyncDisposable {
  /** Whether a process that ended by itself is started again. */
  restarts = true;
  readonly #plane: ControlPlane;
  readonly #namespace: string;
  /** By uid, because a new pod may have the name of a former one. */
  readonly #pods = new Map<string, Held>();
  readonly #agent = new Agent({ keepAlive: false, rejectUnauthorized: false });
  #nextAddress = 0;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(plane: ControlPlane, namespace: string) {
    this.#plane = plane;
    this.#namespace = namespace;
  }

  async start(): Promise<void> {
    const { api } = this.#plane;
    await api.create('/api/v1/nodes', { metadata: { name: NODE } });
    this.#running = this.#run();
  }

  pods(component = 'webhook'): readonly RunningPod[] {
    return [...this.#pods.values()].filter((pod) => pod.component === component);
  }

  /** Waits until a component has this many pods and all of them are ready, also in its Service. */
  async untilReady(count: number, component = 'webhook', within = 30_000): Promise<void> {
    await eventually(() => {
      const states = this.pods(component).map(({ ready }) => ready);
      if (states.length !== count || states.includes(false)) throw new Error(`pods ready: ${states.join()}`);
    }, within);
    await this.untilEndpoints(count, component);
  }

  /** Waits until the Service of a component has this many addresses, all of them ready. */
  async untilEndpoints(count: number, component = 'webhook'): Promise<void> {
    await eventually(async () => {
      const slices = await this.#plane.api.list(
        `/apis/discovery.k8s.io/v1/namespaces/${this.#namespace}/endpointslices` +
          `?labelSelector=kubernetes.io/service-name%3D${SERVICES[component]}`,
      );
      const endpoints = slices.flatMap(
        (slice) => (slice['endpoints'] ?? []) as { conditions: { ready: boolean } }[],
      );
      const states = endpoints.map(({ conditions }) => conditions.ready);
      if (states.length !== count || states.includes(false)) throw new Error(`endpoints: ${states.join()}`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#running;
    for (const pod of this.#pods.values()) {
      await end(pod.process);
      await this.#cleanUp(pod);
    }
    this.#agent.destroy();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const path = `/api/v1/namespaces/${this.#namespace}/pods`;
      const pods = (await this.#plane.api.list(path).catch(() => undefined)) as PodObject[] | undefined;
      for (const pod of pods ?? []) await this.#sync(pod).catch(() => undefined);
      if (pods) await this.#endOthers(pods);
      await sleep(LOOK_EVERY);
    }
  }

  /** Ends the processes of pods that are gone, including pods that were deleted after they had ended. */
  async #endOthers(pods: readonly PodObject[]): Promise<void> {
    const present = new Set(pods.map(({ metadata }) => metadata.uid));
    for (const held of this.#pods.values()) {
      if (present.has(held.uid) || held.ending) continue;
      await end(held.process);
      await this.#cleanUp(held);
      this.#pods.delete(held.uid);
    }
  }

  async #sync(pod: PodObject): Promise<void> {
    const { name, uid, deletionTimestamp } = pod.metadata;
    const held = this.#pods.get(uid);
    if (!held) {
      if (deletionTimestamp === undefined) await this.#runPod(pod);
      else await this.#plane.api.remove(this.#path(name));
    } else if (deletionTimestamp === undefined) {
      if (hasEnded(held.process) && pod.spec.restartPolicy === 'Never') {
        await this.#reportEnd(held);
        return;
      }
      if (hasEnded(held.process) && this.restarts) held.process = held.start();
      await this.#mount(pod, held.folder);
      if (performance.now() - held.tokenAt > RENEW_TOKENS_AFTER) {
        await this.#giveToken(pod, held.folder);
        held.tokenAt = performance.now();
      }
      await this.#reportReadiness(held);
    } else if (!held.ending) {
      held.ending = true;
      held.process.kill('SIGTERM');
      void this.#removeOnceEnded(held);
    }
  }

  async #runPod(pod: PodObject): Promise<void> {
    const { api } = this.#plane;
    const { name, uid } = pod.metadata;
    const path = this.#path(name);
    if (pod.spec.nodeName === undefined)
      await api.create(`${path}/binding`, { metadata: { name }, target: { kind: 'Node', name: NODE } });
    const folder = temporaryFolder();
    try {
      await this.#mount(pod, folder);
      await this.#giveToken(pod, folder);
    } catch (error) {
      folder.remove();
      throw error;
    }
    const address = addressOf(this.#nextAddress++);
    changeLoopback('replace', address);
    const [container] = pod.spec.containers;
    const log: string[] = [];
    const start = (): ChildProcess => {
      const child = spawnOwned(
        process.execPath,
        ['dist/main.js', ...container!.args.map((arg) => arg.replace(MOUNT, folder.path))],
        {
          env: {
            ...Object.fromEntries((container!.env ?? []).map((each) => [each.name, each.value])),
            KUBECONFIG: join(folder.path, 'kubeconfig'),
            IMC_HOST: address,
          },
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
      for (const stream of [child.stdout!, child.stderr!])
        stream.on('data', (chunk: Buffer) => log.push(...chunk.toString().trimEnd().split('\n')));
      return child;
    };
    this.#pods.set(uid, {
      name,
      uid,
      component: pod.metadata.labels['app.kubernetes.io/component']!,
      readinessUrl: readinessUrlOf(container!, address),
      address,
      process: start(),
      log,
      ready: false,
      folder,
      start,
      ending: false,
      tokenAt: performance.now(),
    });
  }

  async #giveToken(pod: PodObject, folder: ReturnType<typeof temporaryFolder>): Promise<void> {
    const { api, url, ca } = this.#plane;
    const account = `/api/v1/namespaces/${this.#namespace}/serviceaccounts/${pod.spec.serviceAccountName}`;
    const { status } = await api.create(`${account}/token`, { spec: { expirationSeconds: 3600 } });
    folder.write('kubeconfig', kubeconfig(url, ca, status as Json));
  }

  /** Writes the files of ConfigMaps and Secrets repeatedly, because mounted files follow their object. */
  async #mount(pod: PodObject, folder: ReturnType<typeof temporaryFolder>): Promise<void> {
    const { api } = this.#plane;
    for (const { name, mountPath } of pod.spec.containers[0]!.volumeMounts ?? []) {
      const volume = pod.spec.volumes?.find((each) => each.name === name);
      if (!volume?.configMap && !volume?.secret) continue;
      const at = mountPath.replace(`${MOUNT}/`, '');
      mkdirSync(join(folder.path, at), { recursive: true });
      const source = volume.configMap
        ? `configmaps/${volume.configMap.name}`
        : `secrets/${volume.secret!.secretName}`;
      const { data } = await api.get(`/api/v1/namespaces/${this.#namespace}/${source}`);
      for (const [file, value] of Object.entries((data ?? {}) as Record<string, string>)) {
        const text = volume.secret ? Buffer.from(value, 'base64').toString() : value;
        folder.write(join(at, file), text.replaceAll(MOUNT, folder.path));
      }
    }
  }

  async #reportReadiness(pod: Held): Promise<void> {
    const ready = !hasEnded(pod.process) && (await this.#isReady(pod.readinessUrl));
    pod.ready = ready;
    const status = ready ? 'True' : 'False';
    await this.#plane.api.merge(`${this.#path(pod.name)}/status`, {
      status: {
        phase: 'Running',
        podIP: pod.address,
        podIPs: [{ ip: pod.address }],
        conditions: ['Ready', 'ContainersReady'].map((type) => ({ type, status })),
      },
    });
  }

  async #isReady(url: string | undefined): Promise<boolean> {
    if (url === undefined) return true;
    const answer = url.startsWith('https:')
      ? sendHttps(url, { method: 'GET', agent: this.#agent })
      : fetch(url);
    return answer.then(
      ({ status }) => status === 200,
      () => false,
    );
  }

  async #reportEnd({ name, process: { exitCode } }: Held): Promise<void> {
    const phase = exitCode === 0 ? 'Succeeded' : 'Failed';
    await this.#plane.api.merge(`${this.#path(name)}/status`, { status: { phase } });
  }

  async #removeOnceEnded(pod: Held): Promise<void> {
    await this.#cleanUp(pod);
    this.#pods.delete(pod.uid);
    await this.#plane.api.remove(this.#path(pod.name));
  }

  async #cleanUp(pod: Held): Promise<void> {
    if (!hasEnded(pod.process)) await once(pod.process, 'exit');
    changeLoopback('del', pod.address);
    pod.folder.remove();
  }

  #path(name: string): string {
    return `/api/v1/namespaces/${this.#namespace}/pods/${name}`;
  }
}

function readinessUrlOf({ readinessProbe, ports = [] }: Container, address: string): string | undefined {
  if (!readinessProbe) return undefined;
  const { path, port, scheme } = readinessProbe.httpGet;
  const { containerPort } = ports.find((each) => each.name === port)!;
  return `${scheme.toLowerCase()}://${address}:${containerPort}${path}`;
}
