/**
 * Does for the chart's pods what a node does, as far as it can be seen from the API server: runs each as a process with
 * an address, its ConfigMaps and Secrets as files, and the token of its service account; asks for its readiness; and ends
 * it with SIGTERM when it is deleted. What is run is the built webhook, with the arguments and variables of the pod.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../support/eventually.ts';
import { sendHttps } from '../../support/https.ts';
import type { Json } from '../../support/objects.ts';
import { temporaryFolder } from '../../support/webhook.ts';
import type { ControlPlane } from './control-plane.ts';
import { kubeconfig } from './control-plane.ts';

/** Not of any network: RFC 2544 keeps them for tests. The API server takes no loopback addresses for endpoints. */
const FIRST_ADDRESS = 10;
const NODE = 'node-of-the-tests';
/** Where the pods think that their files are. */
const MOUNT = '/etc/imagecache-webhook';
/** Milliseconds. */
const LOOK_EVERY = 200;
const SERVICES: Readonly<Record<string, string>> = {
  webhook: 'imagecache-webhook',
  controller: 'imagecache-webhook-controller',
};

/** Whether this machine lets us give it addresses. */
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

/** `replace` and not `add`, which fails where a run that was killed has left the address behind. */
function changeLoopback(action: 'replace' | 'del', address: string): void {
  execFileSync('ip', ['address', action, `${address}/32`, 'dev', 'lo'], { stdio: 'pipe' });
}

function addressOf(index: number): string {
  return `198.18.0.${FIRST_ADDRESS + index}`;
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

interface Volume {
  readonly name: string;
  readonly configMap?: { readonly name: string };
  readonly secret?: { readonly secretName: string };
}

interface PodObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec: {
    readonly nodeName?: string;
    readonly serviceAccountName: string;
    readonly volumes: readonly Volume[];
    readonly containers: readonly {
      readonly args: readonly string[];
      readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
      readonly readinessProbe: {
        readonly httpGet: { readonly path: string; readonly port: string; readonly scheme: string };
      };
      readonly env?: readonly { readonly name: string; readonly value: string }[];
      readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
    }[];
  };
}

export interface RunningPod {
  readonly name: string;
  /** `webhook` or `controller`. */
  readonly component: string;
  readonly address: string;
  /** The last one that was started. */
  process: ChildProcess;
  /** What it has logged, a line each. */
  readonly log: string[];
  ready: boolean;
}

interface Held extends RunningPod {
  /** Where its readiness is asked for. */
  readonly readinessUrl: string;
  readonly folder: ReturnType<typeof temporaryFolder>;
  readonly start: () => ChildProcess;
  ending: boolean;
}

export class Kubelet implements AsyncDisposable {
  /** Whether what has ended by itself is started again. */
  restarts = true;
  readonly #plane: ControlPlane;
  readonly #namespace: string;
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
    await this.#plane.api.create('/api/v1/nodes', { metadata: { name: NODE } });
    this.#running = this.#run();
  }

  pods(component = 'webhook'): readonly RunningPod[] {
    return [...this.#pods.values()].filter((pod) => pod.component === component);
  }

  /** Until so many pods are ready, and no other is left. */
  async untilReady(count: number, component = 'webhook', within = 30_000): Promise<void> {
    await eventually(() => {
      const states = this.pods(component).map(({ ready }) => ready);
      if (states.length !== count || states.includes(false)) throw new Error(`pods ready: ${states.join()}`);
    }, within);
    // The API server has heard of their addresses.
    await eventually(async () => {
      const { subsets } = await this.#plane.api.get(
        `/api/v1/namespaces/${this.#namespace}/endpoints/${SERVICES[component]}`,
      );
      const addresses = ((subsets ?? []) as { addresses?: unknown[] }[]).flatMap(
        (each) => each.addresses ?? [],
      );
      if (addresses.length !== count) throw new Error(`${addresses.length} endpoints`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#running;
    for (const pod of this.#pods.values()) {
      pod.process.kill('SIGKILL');
      await this.#cleanUp(pod);
    }
    this.#agent.destroy();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const path = `/api/v1/namespaces/${this.#namespace}/pods`;
      const pods = (await this.#plane.api.list(path).catch(() => [])) as unknown as PodObject[];
      for (const pod of pods) await this.#sync(pod).catch(() => undefined);
      await sleep(LOOK_EVERY);
    }
  }

  async #sync(pod: PodObject): Promise<void> {
    const { name, deletionTimestamp } = pod.metadata;
    const held = this.#pods.get(name);
    if (!held) {
      if (deletionTimestamp === undefined) await this.#runPod(pod);
    } else if (deletionTimestamp === undefined) {
      if (hasEnded(held.process) && this.restarts) held.process = held.start();
      await this.#mount(pod, held.folder);
      await this.#reportReadiness(held);
    } else if (!held.ending) {
      held.ending = true;
      held.process.kill('SIGTERM');
      void this.#removeOnceEnded(held);
    }
  }

  async #runPod(pod: PodObject): Promise<void> {
    const { api } = this.#plane;
    const { name } = pod.metadata;
    const path = this.#path(name);
    if (pod.spec.nodeName === undefined)
      await api.create(`${path}/binding`, { metadata: { name }, target: { kind: 'Node', name: NODE } });
    const address = addressOf(this.#nextAddress++);
    changeLoopback('replace', address);
    const folder = temporaryFolder();
    await this.#mount(pod, folder);
    const [container] = pod.spec.containers;
    const log: string[] = [];
    const start = (): ChildProcess => {
      const child = spawn(
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
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => log.push(...chunk.toString().trimEnd().split('\n')));
      return child;
    };
    const { path: probed, port, scheme } = container!.readinessProbe.httpGet;
    const { containerPort } = container!.ports.find((each) => each.name === port)!;
    this.#pods.set(name, {
      name,
      component: pod.metadata.labels['app.kubernetes.io/component']!,
      readinessUrl: `${scheme.toLowerCase()}://${address}:${containerPort}${probed}`,
      address,
      process: start(),
      log,
      ready: false,
      folder,
      start,
      ending: false,
    });
  }

  /** Writes what the pod is to find, again and again, as what is mounted follows its object. */
  async #mount(pod: PodObject, folder: ReturnType<typeof temporaryFolder>): Promise<void> {
    const { api, url, ca } = this.#plane;
    const account = `/api/v1/namespaces/${this.#namespace}/serviceaccounts/${pod.spec.serviceAccountName}`;
    const { status } = await api.create(`${account}/token`, { spec: { expirationSeconds: 3600 } });
    folder.write('kubeconfig', kubeconfig(url, ca, status as Json));
    for (const { name, mountPath } of pod.spec.containers[0]!.volumeMounts) {
      const volume = pod.spec.volumes.find((each) => each.name === name);
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
    const answer = pod.readinessUrl.startsWith('https:')
      ? sendHttps(pod.readinessUrl, { method: 'GET', agent: this.#agent })
      : fetch(pod.readinessUrl);
    const ready = await answer.then(
      ({ status }) => status === 200,
      () => false,
    );
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

  async #removeOnceEnded(pod: Held): Promise<void> {
    await this.#cleanUp(pod);
    this.#pods.delete(pod.name);
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
