import { describe, expect, it } from 'vitest';
import { advise, isSameForAdvice } from '../../../src/core/advice/advise.ts';
import { describeFinding } from '../../../src/core/advice/finding.ts';
import { templateOf } from '../../../src/core/decision/pod-life.ts';
import { readPod } from '../../../src/core/pod.ts';
import { isOwned } from '../../../src/core/workload/owner.ts';
import { RULES } from '../../../src/core/advice/rules.ts';
import type { ClusterIndex } from '../../../src/index/cluster-index.ts';
import {
  cacheObject,
  configWith,
  indexOf,
  NOW,
  podObject,
  type ConfigChange,
  type Json,
  type PodSpec,
} from '../../support/objects.ts';

const K = 'k8s.aliyun.com/';
const PINNED = { [`${K}eci-imc-id`]: 'imc-web' };

interface Workload extends PodSpec {
  readonly own?: Record<string, string>;
}

function deployment({ own = {}, ...pod }: Workload = {}): Json {
  const { metadata, spec } = podObject(pod);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', annotations: own },
    spec: { template: { metadata, spec } },
  };
}

function found(manifest: Json, index: ClusterIndex = indexOf(), change: ConfigChange = {}): string[] {
  return advise(manifest, 'default', index, configWith(change), NOW).map(
    (each) => `${each.severity} ${each.rule} ${describeFinding(each)}`,
  );
}

const T = 'spec.template.metadata.annotations';
const C = 'spec.template.spec.containers';
const WEB = cacheObject({ name: 'web', images: ['app:1'] });

describe('advice is silent', () => {
  it.each<[string, Json, ClusterIndex]>([
    ['about a workload that asks for nothing', deployment(), indexOf()],
    [
      'about a workload that does not go to ECI',
      deployment({ labels: {}, images: ['app:latest'] }),
      indexOf(),
    ],
    ['about a pin that is Ready', deployment({ annotations: PINNED }), indexOf(WEB)],
    [
      'about matching that finds a cache',
      deployment({ annotations: { [`${K}eci-auto-imc`]: 'true', [`${K}imc-perfect-match`]: 'true' } }),
      indexOf(WEB),
    ],
    ['about a kind that makes no pods', { apiVersion: 'v1', kind: 'Secret', metadata: {} }, indexOf()],
    [
      'about the annotations of a Pod itself',
      podObject({ annotations: { [`${K}eci-auto-imc`]: 'true' } }),
      indexOf(),
    ],
  ])('%s', (_name, manifest, index) => {
    expect(found(manifest, index)).toEqual([]);
  });

  it('about older names on Knative and Argo, whose documents recommend them', () => {
    const annotations = { [`${K}eci-image-cache`]: 'true' };
    const { metadata, spec } = podObject({ annotations });
    const knative = { apiVersion: 'serving.knative.dev/v1', kind: 'Service', metadata: { name: 'k' } };
    expect(found({ ...knative, spec: { template: { metadata, spec } } })).toEqual([]);
    const argo = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Workflow', metadata: { name: 'w' } };
    const workflow = {
      podMetadata: { annotations },
      templates: [{ name: 't', container: { image: 'app:1' } }],
    };
    expect(found({ ...argo, spec: workflow })).toEqual([]);
    expect(found(deployment({ annotations }), indexOf(), { dialect: 'legacy' })).toEqual([]);
  });

  it('about the count that includes what Knative adds', () => {
    const { metadata, spec } = podObject({ annotations: { [`${K}imc-match-count-request`]: '2' } });
    const knative = { apiVersion: 'serving.knative.dev/v1', kind: 'Service', metadata: { name: 'k' } };
    expect(found({ ...knative, spec: { template: { metadata, spec } } })).toEqual([]);
  });

  it('about what the operator chose not to warn of', () => {
    const always = deployment({ annotations: PINNED, pullPolicy: 'Always' });
    for (const pullPolicy of ['keep', 'enforce'] as const)
      expect(found(always, indexOf(WEB), { pullPolicy })).toEqual([]);
  });

  it('about another namespace’s cache that could serve the pod', () => {
    const theirs = cacheObject({
      name: 'theirs',
      images: ['app:1'],
      size: 60,
      annotations: { 'imagecache-webhook.io/namespaces': 'other' },
    });
    expect(found(deployment(), indexOf(theirs))).toEqual([]);
  });
});

describe('advice finds', () => {
  it.each<[string, Workload, ClusterIndex, ConfigChange, string[]]>([
    [
      'annotations of the workload itself',
      { own: { [`${K}eci-imc-id`]: 'imc-web' } },
      indexOf(),
      {},
      [
        `error annotation-on-workload metadata.annotations[${K}eci-imc-id]: does nothing on a Deployment, only on its pods; write it to ${T}`,
      ],
    ],
    [
      'annotations of the workload that its pods have too',
      { own: PINNED, annotations: PINNED },
      indexOf(WEB),
      {},
      [
        `note annotation-on-workload metadata.annotations[${K}eci-imc-id]: does nothing on a Deployment, only on its pods; remove it here`,
      ],
    ],
    [
      'annotations of a workload that does not go to ECI otherwise',
      { own: { [`${K}imc-match-count-request`]: '1' }, labels: {} },
      indexOf(),
      {},
      [
        `error annotation-on-workload metadata.annotations[${K}imc-match-count-request]: does nothing on a Deployment, only on its pods; write it to ${T}`,
      ],
    ],
    [
      'a malformed value',
      { annotations: { [`${K}eci-auto-imc`]: 'yes' } },
      indexOf(),
      {},
      [`error malformed-annotation ${T}[${K}eci-auto-imc]: "yes" is ignored; write "true" or "false"`],
    ],
    [
      'a malformed value, if such pods are denied',
      { annotations: { [`${K}imc-match-count-request`]: '0' } },
      indexOf(),
      { onInvalidAnnotation: 'deny' },
      [
        `error malformed-annotation ${T}[${K}imc-match-count-request]: "0" is invalid, and the pod is denied; write a positive integer, such as "2"`,
      ],
    ],
    [
      'an older name',
      { annotations: { [`${K}eci-image-cache`]: 'true' } },
      indexOf(),
      {},
      [`note legacy-annotation ${T}[${K}eci-image-cache]: is an older name; write ${K}eci-auto-imc`],
    ],
    [
      'a pin beside automatic matching',
      { annotations: { ...PINNED, [`${K}eci-auto-imc`]: 'true' } },
      indexOf(WEB),
      {},
      [
        `warning pin-beside-matching ${T}[${K}eci-auto-imc]: asks for automatic matching, but the pin ${K}eci-imc-id wins; remove one of the two`,
      ],
    ],
    [
      'names that disagree',
      { annotations: { [`${K}eci-auto-imc`]: 'true', [`${K}eci-image-cache`]: 'f' } },
      indexOf(),
      { dialect: 'both' },
      [
        `warning names-disagree ${T}[${K}eci-image-cache]: disagrees with ${K}eci-auto-imc, which wins; remove this one`,
      ],
    ],
    [
      'a perfect match beside a count',
      { annotations: { [`${K}imc-perfect-match`]: 'true', [`${K}imc-match-count-request`]: '1' } },
      indexOf(),
      {},
      [
        `warning perfect-beside-count ${T}[${K}imc-match-count-request]: does nothing beside ${K}imc-perfect-match, which asks for all images; remove one of the two`,
      ],
    ],
    [
      'a count above the number of images',
      { annotations: { [`${K}imc-match-count-request`]: '3' }, images: ['a:1', 'b:1'] },
      indexOf(),
      {},
      [
        `error count-above-images ${T}[${K}imc-match-count-request]: no cache can hold 3 of the pod's 2 images; write at most "2"`,
      ],
    ],
    [
      'a pin that nobody knows',
      { annotations: PINNED },
      indexOf(),
      {},
      [
        `warning pin-unknown ${T}[${K}eci-imc-id]: no ImageCache here has the ID "imc-web"; ECI fails the pod if it knows none either; check the ID, or write ${K}eci-auto-imc: "true" in its place`,
      ],
    ],
    [
      'a pin that is not Ready',
      { annotations: { [`${K}eci-image-snapshot-id`]: 'imc-web' } },
      indexOf(cacheObject({ name: 'web', phase: 'Creating', progress: '40%' })),
      { dialect: 'both' },
      [
        `error pin-not-ready ${T}[${K}eci-image-snapshot-id]: the pinned cache is Creating 40%, not Ready, and ECI fails such a pod; wait until it is Ready, or write ${K}eci-auto-imc: "true" in its place`,
      ],
    ],
    [
      'a pin of another architecture',
      { annotations: PINNED },
      indexOf(cacheObject({ name: 'web', annotations: { [`${K}imc-cpu-arch`]: 'arm64' } })),
      {},
      [
        `error pin-elsewhere ${T}[${K}eci-imc-id]: the pinned cache is for arm64, the pod runs on amd64; pin a cache that is made for such pods, or remove the pin`,
      ],
    ],
    [
      'a pin that is larger than the storage',
      { annotations: PINNED },
      indexOf(cacheObject({ name: 'web', size: 50 })),
      {},
      [
        `warning storage-too-small ${T}[${K}eci-extra-ephemeral-storage]: ImageCache web is 50Gi, the pod's storage 30Gi; write "20Gi"`,
      ],
    ],
    [
      'a pin that belongs to another namespace, and nothing else of it',
      { annotations: PINNED, pullPolicy: 'Always' },
      indexOf(
        cacheObject({
          name: 'web',
          phase: 'Creating',
          annotations: { 'imagecache-webhook.io/namespaces': 'other' },
        }),
      ),
      {},
      [
        `error pin-not-shared ${T}[${K}eci-imc-id]: the cache belongs to another namespace, so the pod is denied; pin one of this namespace, or remove the pin`,
      ],
    ],
    [
      'a pinned cache that lacks an image',
      { annotations: PINNED, images: ['app:1', 'side:2'] },
      indexOf(WEB),
      {},
      [
        `warning image-in-no-cache ${T}[${K}eci-imc-id]: the pinned cache lacks docker.io/library/side:2, pulled at each start; add it to the cache, or remove the pin`,
      ],
    ],
    [
      'a cache that the storage is too small for',
      {},
      indexOf(cacheObject({ name: 'web', size: 60 })),
      {},
      [
        `warning storage-too-small ${T}[${K}eci-extra-ephemeral-storage]: ImageCache web is 60Gi, the pod's storage 30Gi; write "30Gi"`,
      ],
    ],
    [
      'Always beside a cache',
      { images: ['app:1'], pullPolicy: 'Always' },
      indexOf(WEB),
      {},
      [
        `warning pull-always ${C}[0].imagePullPolicy: Always asks the registry at each start, and pulls what changed, though the cache holds the image; write IfNotPresent`,
      ],
    ],
    [
      'Always that the tag implies, beside a cache that will be made',
      { images: ['app'] },
      indexOf(),
      {},
      [
        `warning pull-always ${C}[0].imagePullPolicy: Always, the default for the tag latest, asks the registry at each start, and pulls what changed, though a cache will hold the image; write IfNotPresent, and a tag that does not move`,
      ],
    ],
    [
      'more than 20 images',
      { images: Array.from({ length: 21 }, (_, i) => `app:${i}`) },
      indexOf(),
      {},
      [
        `warning too-many-images ${C}: the pod has 21 distinct images, more than the 20 that an image cache can hold; some are pulled at each start: use fewer images, or several pods`,
      ],
    ],
    [
      'images that the best cache lacks, if none is made',
      { images: ['app:1', 'b:1', 'c:1', 'd:1'] },
      indexOf(WEB),
      { createOnMiss: { when: 'no-match' }, partialHits: 'use' },
      [
        `warning image-in-no-cache ${C}: the best cache lacks docker.io/library/b:1, docker.io/library/c:1 and 1 more, and nobody is asked to make one; make an ImageCache that holds all images`,
      ],
    ],
    [
      'images that no cache holds, if nothing says that the pod goes to ECI',
      { labels: {}, annotations: { [`${K}imc-perfect-match`]: 'true' } },
      indexOf(),
      {},
      [
        `warning image-in-no-cache ${C}: no cache that qualifies holds docker.io/library/app:1, and nobody is asked to make one; make an ImageCache that holds all images`,
      ],
    ],
    [
      'an image that is no reference',
      { images: ['App:1'] },
      indexOf(),
      {},
      [
        `error invalid-image ${C}[0].image: "App:1" is no valid image reference, and no cache can hold it; write it as registry/repository:tag`,
      ],
    ],
    [
      'a name of a rule that does not exist',
      { own: { 'imagecache-webhook.io/advice-ignore': 'pull-allways' } },
      indexOf(),
      {},
      [
        'note unknown-rule metadata.annotations[imagecache-webhook.io/advice-ignore]: "pull-allways" is no rule of advice; write the name that the finding has',
      ],
    ],
  ])('%s', (_name, workload, index, change, expected) => {
    expect(found(deployment(workload), index, change)).toEqual(expected);
  });

  it('caches that cost more than they save', () => {
    const index = indexOf(WEB);
    const { metadata, spec } = podObject();
    const template = templateOf(readPod({ metadata, spec }, 'default'));
    const living = (seconds: number): string[] => {
      const life = { seconds, ended: 9, learnedAtMs: NOW, cpu: 2, memoryGib: 4 };
      index.lives.set(new Map([[template, life]]));
      return found(deployment(), index);
    };
    expect(living(60)).toEqual([]);
    expect(living(86_400)).toEqual([
      expect.stringMatching(
        /^warning costs-more .*eci-auto-imc\]: such pods live 1 d.*; the disk of a cache costs more than it saves after .*; write "false"/,
      ),
    ]);
    // ECI's own caches cost nothing.
    expect(found(deployment({ images: ['app:2'] }), index)).toEqual([]);
  });

  it('a value that is not quoted', () => {
    const manifest = deployment({ annotations: { [`${K}eci-auto-imc`]: true as unknown as string } });
    expect(found(manifest)).toEqual([
      `error unreadable-pod spec.template.metadata.annotations: the pod cannot be read: metadata.annotations["${K}eci-auto-imc"] is a boolean; it must be a string: quote it; until then the webhook leaves such a pod alone`,
    ]);
  });

  it('annotations of the Job of a CronJob, which its pods do not get', () => {
    const { metadata, spec } = podObject();
    const cron = {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'c' },
      spec: { jobTemplate: { metadata: { annotations: PINNED }, spec: { template: { metadata, spec } } } },
    };
    expect(found(cron)).toEqual([
      expect.stringContaining(`spec.jobTemplate.metadata.annotations[${K}eci-imc-id]: does nothing`),
    ]);
  });

  it('each thing once, however many templates share the field', () => {
    const workflow = {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Workflow',
      metadata: { name: 'w' },
      spec: {
        podMetadata: { annotations: { [`${K}eci-auto-imc`]: 'maybe' } },
        templates: Array.from({ length: 30 }, (_, i) => ({ name: `t${i}`, container: { image: 'a:1' } })),
      },
    };
    expect(found(workflow)).toHaveLength(1);
  });

  it('the worst first', () => {
    const annotations = { [`${K}eci-image-snapshot-id`]: 'imc-web', [`${K}eci-auto-imc`]: 'x' };
    const rules = found(deployment({ annotations, pullPolicy: 'Always' }), indexOf(WEB)).map(
      (text) => text.split(' ')[0],
    );
    expect(rules).toEqual(['error', 'warning', 'note']);
  });
});

describe('advice says what comes about', () => {
  const AUTO = `${K}eci-auto-imc`;
  const OLD_AUTO = `${K}eci-image-cache`;
  const living = (seconds: number, index: ClusterIndex): ClusterIndex => {
    const { metadata, spec } = podObject();
    const life = { seconds, ended: 9, learnedAtMs: NOW, cpu: 2, memoryGib: 4 };
    index.lives.set(new Map([[templateOf(readPod({ metadata, spec }, 'default')), life]]));
    return index;
  };
  const rulesIn = (texts: readonly string[]): string[] => texts.map((text) => text.split(' ')[1]!);

  it('if the new name is malformed, so that the old one counts', () => {
    const texts = found(deployment({ annotations: { [AUTO]: 'maybe', [OLD_AUTO]: 'false' } }));
    expect(rulesIn(texts)).toEqual(['malformed-annotation', 'legacy-annotation']);
    expect(texts[1]).toContain(`is an older name; write ${AUTO}`);
    const pinned = { [`${K}eci-imc-id`]: 'imc web', [`${K}eci-image-snapshot-id`]: 'imc-web' };
    const creating = indexOf(cacheObject({ name: 'web', phase: 'Creating' }));
    expect(found(deployment({ annotations: pinned }), creating)).toContainEqual(
      expect.stringContaining(`error pin-not-ready ${T}[${K}eci-image-snapshot-id]:`),
    );
  });

  it.each<[string, ConfigChange, Parameters<typeof cacheObject>[0], string]>([
    [
      'that is replaced',
      { pin: { notReady: 'auto' } },
      { name: 'web', phase: 'Creating' },
      'warning pin-not-ready',
    ],
    ['that has failed', {}, { name: 'web', phase: 'Failed' }, 'ECI fails such a pod; pin another'],
    ['that is being deleted', {}, { name: 'web', deleting: true }, 'ECI fails such a pod; pin another'],
  ])('of a pin %s', (_title, change, cache, text) => {
    const [first] = found(deployment({ annotations: PINNED }), indexOf(cacheObject(cache)), change);
    expect(first).toContain(text);
  });

  it('of a pinned cache that costs more than it saves, by the size of that cache', () => {
    const annotations = { ...PINNED, [`${K}eci-extra-ephemeral-storage`]: '600Gi' };
    const [text] = found(
      deployment({ annotations }),
      living(120, indexOf(cacheObject({ name: 'web', size: 500 }))),
    );
    expect(text).toContain(`warning costs-more ${T}[${K}eci-imc-id]:`);
    expect(text).toContain('; remove the pin if a slower start is fine');
  });

  it('of a partial match that ECI may complete', () => {
    const workload = deployment({ images: ['app:1', 'b:1'] });
    expect(found(workload, indexOf(WEB), { createOnMiss: { when: 'no-match' } })).toEqual([]);
  });

  it('of pods that the webhook is not sent, and of pods on ACS: nothing', () => {
    const faulty = { annotations: { ...PINNED, [AUTO]: 'maybe' }, own: PINNED };
    const off = { 'alibabacloud.com/eci': 'true', 'imagecache-webhook.io/webhook': 'disabled' };
    expect(found(deployment({ ...faulty, labels: off }))).toEqual([]);
    expect(found(deployment({ ...faulty, labels: { 'alibabacloud.com/acs': 'true' } }))).toEqual([]);
  });

  it('of encryption beside a pin, or beside matching that the user asks for', () => {
    const encrypted = { [`${K}eci-ephemeral-storage-options`]: '{"encrypted":"true"}' };
    const rules = (annotations: Record<string, string>): string[] =>
      rulesIn(found(deployment({ annotations: { ...annotations, ...encrypted } }), indexOf(WEB)));
    expect(rules(PINNED)).toEqual(['encrypted-storage']);
    expect(rules({ [AUTO]: 'true' })).toEqual(['encrypted-storage']);
    expect(rules({})).toEqual([]);
    expect(rules({ [AUTO]: 'false' })).toEqual([]);
  });

  it('of a count that no cache can have, because it holds 20 images', () => {
    const images = Array.from({ length: 30 }, (_image, i) => `app:${i}`);
    const texts = found(deployment({ images, annotations: { [`${K}imc-match-count-request`]: '25' } }));
    expect(texts[0]).toContain(
      'no cache can hold 25 of the pod\'s 30 images, as a cache holds at most 20; write at most "20"',
    );
  });

  it('of a pin that is wrong in two ways', () => {
    const other = { [`${K}imc-cpu-arch`]: 'arm64', [`${K}imc-os-type`]: 'windows' };
    const [text] = found(
      deployment({ annotations: PINNED }),
      indexOf(cacheObject({ name: 'web', annotations: other })),
    );
    expect(text).toContain('is for arm64, the pod runs on amd64, and is for windows, the pod runs on linux');
  });

  it('of a template of the whole cluster: nothing about caches, which belong to namespaces', () => {
    const owned = { 'imagecache-webhook.io/namespaces': 'default' };
    const template = {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'ClusterWorkflowTemplate',
      metadata: { name: 'c' },
      spec: {
        podMetadata: { labels: { 'alibabacloud.com/eci': 'true' } },
        templates: [{ name: 't', container: { image: 'app:1' } }],
      },
    };
    const large = indexOf(cacheObject({ name: 'secret', size: 100, annotations: owned }));
    expect(found(template, large)).toEqual([]);
  });

  it('of annotations of a workload whose templates are elsewhere, and of other metadata', () => {
    const rollout = {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Rollout',
      metadata: { name: 'r', annotations: PINNED },
      spec: { workloadRef: { name: 'web' } },
    };
    expect(found(rollout)).toEqual([expect.stringContaining('write it to the metadata of its pods')]);
    const job = (annotations: Json): Json => {
      const { metadata, spec } = podObject();
      return { name: 'j', template: { metadata: { annotations }, spec: { template: { metadata, spec } } } };
    };
    const jobSet = {
      apiVersion: 'jobset.x-k8s.io/v1alpha2',
      kind: 'JobSet',
      metadata: { name: 's' },
      spec: { replicatedJobs: [job({}), job(PINNED)] },
    };
    expect(found(jobSet)).toEqual([
      expect.stringContaining(
        'only on its pods; write it to spec.replicatedJobs[1].template.spec.template.metadata.annotations',
      ),
    ]);
  });
});

describe('an annotation silences', () => {
  const annotations = { [`${K}eci-image-cache`]: 'maybe' };
  const ignore = (names: string): Record<string, string> => ({
    'imagecache-webhook.io/advice-ignore': names,
  });

  it('the rules that it names, on the workload and on its pods', () => {
    const rulesOf = (workload: Workload): string[] =>
      found(deployment({ annotations, ...workload })).map((text) => text.split(' ')[1]!);
    expect(rulesOf({})).toEqual(['malformed-annotation', 'legacy-annotation']);
    expect(rulesOf({ own: ignore('legacy-annotation') })).toEqual(['malformed-annotation']);
    expect(rulesOf({ own: ignore('legacy-annotation, malformed-annotation,') })).toEqual([]);
    expect(rulesOf({ annotations: { ...annotations, ...ignore('malformed-annotation') } })).toEqual([
      'legacy-annotation',
    ]);
  });
});

describe('a workload', () => {
  it('that another object made gets no advice', () => {
    const owned = (owner: Json): boolean => isOwned({ metadata: { ownerReferences: [owner] } });
    expect(owned({ apiVersion: 'x/v1', kind: 'Any', controller: true })).toBe(true);
    expect(owned({ apiVersion: 'apps/v1', kind: 'Deployment' })).toBe(true);
    expect(owned({ apiVersion: 'v1', kind: 'ConfigMap' })).toBe(false);
    expect(isOwned({ metadata: {} })).toBe(false);
  });

  it('is the same for advice until its pods or its own annotations change', () => {
    const before = deployment({ annotations: PINNED });
    expect(isSameForAdvice(before, { ...before, status: { replicas: 3 } })).toBe(true);
    expect(isSameForAdvice({ ...before, spec: {} }, before)).toBe(false);
    expect(isSameForAdvice(before, deployment({ annotations: PINNED, own: PINNED }))).toBe(false);
    // kubectl keeps the whole object in an annotation.
    expect(isSameForAdvice(before, deployment({ annotations: PINNED, own: { a: 'b' } }))).toBe(true);
    expect(isSameForAdvice(before, deployment({ annotations: PINNED, images: ['app:2'] }))).toBe(false);
  });
});

it('every rule has a name of its own', () => {
  expect(new Set(RULES.map(({ name }) => name)).size).toBe(RULES.length);
});
