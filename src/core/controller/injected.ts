/**
 * What injectors add to the pods of a namespace, such as the proxy of a service mesh: learned from pods that are there, so
 * that the cache for a template has it before the first pod of that template.
 */
import { MAX_CACHE_IMAGES } from '../image-cache.ts';
import type { StringMap } from '../kubernetes/json.ts';
import type { Container } from '../pod.ts';
import type { PodContent, WatchedPod } from './watched-pod.ts';
import type { WatchedWorkload } from './watched-workload.ts';

/** Labels of a pod that say whether, and with which revision, an injector adds something. */
const INJECTION_LABELS: readonly string[] = [
  'sidecar.istio.io/inject',
  'istio.io/rev',
  'linkerd.io/inject',
  'kuma.io/sidecar-injection',
  'dapr.io/enabled',
  'sidecar.opentelemetry.io/inject',
];
/** Namespaces and values of their labels that are told apart; the longest unused goes first. */
const MOST_KEYS = 1000;

interface Learned {
  readonly containers: readonly Container[];
  /** When the pod was created from which it was learned. */
  readonly atMs: number;
}

export class Injected {
  /** By namespace and injection labels. */
  readonly #learned = new Map<string, Learned>();
  /** The contents of templates with what was learned; the same object each time, so that what it lacks stays remembered. */
  readonly #complete = new WeakMap<PodContent, { readonly learned: Learned; readonly content: PodContent }>();
  /** The contents that were looked at: each is compared once with the templates of its namespace. */
  readonly #seen = new WeakSet<PodContent>();

  /** Learns from the pods whose containers are known: those that miss a cache, and those that start. */
  learn(pods: Iterable<WatchedPod>, workloads: () => Iterable<WatchedWorkload>): void {
    let templates: Map<string, PodContent[]> | undefined;
    for (const { content, createdAtMs } of pods) {
      if (!content || this.#seen.has(content)) continue;
      this.#seen.add(content);
      templates ??= templatesByNamespace(workloads());
      const { namespace, labels, containers } = content.pod;
      const template = templates.get(namespace)?.find((each) => mayHaveMade(each, content));
      if (!template) continue;
      const known = new Set(template.pod.containers.map(({ name }) => name));
      this.#note(keyOf(namespace, labels), {
        containers: containers.filter(({ name }) => !known.has(name)),
        atMs: createdAtMs,
      });
    }
  }

  /** The pod of a template with what pods of its namespace and with its labels were given. */
  withInjected(coming: WatchedPod): WatchedPod {
    const { content } = coming;
    if (!content) return coming;
    const { pod } = content;
    const key = keyOf(pod.namespace, pod.labels);
    const learned = this.#learned.get(key);
    if (!learned || learned.containers.length === 0) return coming;
    const known = this.#complete.get(content);
    if (known?.learned === learned) return { ...coming, content: known.content };
    const own = new Set(pod.containers.map(({ name }) => name));
    const containers = [...pod.containers, ...learned.containers.filter(({ name }) => !own.has(name))];
    const isTooMuch = new Set(containers.map(({ image }) => image)).size > MAX_CACHE_IMAGES;
    if (isTooMuch) return coming;
    const complete = { ...content, pod: { ...pod, containers } };
    this.#complete.set(content, { learned, content: complete });
    return { ...coming, content: complete };
  }

  #note(key: string, learned: Learned): void {
    const known = this.#learned.get(key);
    if (known && known.atMs > learned.atMs) return;
    // Nothing new: the same object stays.
    if (known && isSame(known.containers, learned.containers)) return;
    this.#learned.delete(key);
    this.#learned.set(key, learned);
    for (const oldest of this.#learned.keys()) {
      if (this.#learned.size <= MOST_KEYS) break;
      this.#learned.delete(oldest);
    }
  }
}

function isSame(a: readonly Container[], b: readonly Container[]): boolean {
  return (
    a.length === b.length && a.every(({ name, image }, i) => name === b[i]?.name && image === b[i].image)
  );
}

function keyOf(namespace: string, labels: StringMap): string {
  return JSON.stringify([namespace, ...INJECTION_LABELS.map((label) => labels.get(label) ?? null)]);
}

function templatesByNamespace(workloads: Iterable<WatchedWorkload>): Map<string, PodContent[]> {
  const templates = new Map<string, PodContent[]>();
  for (const { pods } of workloads) {
    for (const { watched } of pods) {
      if (!watched.content) continue;
      const { namespace } = watched.content.pod;
      const others = templates.get(namespace);
      if (others) others.push(watched.content);
      else templates.set(namespace, [watched.content]);
    }
  }
  return templates;
}

/** Whether the pod has the labels and the containers of the template; their images may be of another version. */
function mayHaveMade({ pod: template }: PodContent, { pod }: PodContent): boolean {
  const names = new Set(pod.containers.map(({ name }) => name));
  return (
    template.labels.size > 0 &&
    [...template.labels].every(([key, value]) => pod.labels.get(key) === value) &&
    template.containers.every(({ name }) => names.has(name))
  );
}
