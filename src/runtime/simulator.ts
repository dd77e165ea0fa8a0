/**
 * The running simulator: polls the ImageCaches, and applies the status changes that ECI would make. With its API it also
 * starts the pods of virtual nodes as ECI would, and writes on them what ECI writes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/config.ts';
import { isVirtual } from '../core/decision/scope.ts';
import {
  objectsIn,
  partOf,
  readStringMap,
  readText,
  textsIn,
  type JsonObject,
} from '../core/kubernetes/json.ts';
import { isBeingDeleted, objectName } from '../core/kubernetes/object.ts';
import { messageOf } from '../core/kubernetes/problem.ts';
import { nextState, type LifeOptions } from '../core/simulation/cache-life.ts';
import { eventsOf, groundTruth, startOf } from '../core/simulation/pod-start.ts';
import { isPlaced } from '../core/truth/pod-truth.ts';
import { Region, type Quotas } from '../core/simulation/region.ts';
import { connectImageCaches, type ImageCacheObjects } from './connect.ts';
import { startStandIn, type StandInOptions } from './stand-in-api.ts';

export interface SimulatorEvents {
  /** @param phase `Deleted` if the cache expired */
  readonly onState: (name: string, phase: string, progress: string) => void;
  readonly onProblem: (problem: string) => void;
  /** The API answers at this address. */
  readonly onServing: (endpoint: string) => void;
  /** @param how `SuccessfulHitImageCache`, …; empty if ECI says nothing about the pod */
  readonly onStart: (pod: string, how: string, cacheId: string | undefined) => void;
}

/** How the region and its API are played. */
export interface ApiOptions extends Pick<StandInOptions, 'port' | 'accessKey' | 'callsPerMinute'> {
  readonly quotas: Quotas;
}

/** Milliseconds between two polls. */
const POLL_EVERY_MS = 250;
/** Pods are looked at in every poll of this many, because there may be many of them. */
const POLLS_A_LOOK = 4;

/**
 * Runs until `stopped` resolves.
 * @param api undefined: only the ImageCaches are played
 * @throws if no cluster is configured, or the port of the API is taken
 */
export async function simulate(
  config: Config,
  life: LifeOptions,
  api: ApiOptions | undefined,
  events: SimulatorEvents,
  stopped: Promise<void>,
): Promise<void> {
  const stopping = new AbortController();
  const { signal } = stopping;
  void stopped.then(() => stopping.abort());
  const imageCaches = await connectImageCaches(config, signal);
  const region = api && new Region(life, api.quotas);
  const told = new Set<string>();
  const standIn = region && (await startStandIn(region, { ...api, now: Date.now }));
  if (standIn) events.onServing(standIn.endpoint);
  let problem: string | undefined;
  for (let poll = 0; !signal.aborted; poll++) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- each round reads what the round before wrote
      await playCaches(imageCaches, life, events);
      // oxlint-disable-next-line no-await-in-loop
      if (region) await playUpdates(imageCaches, region);
      // oxlint-disable-next-line no-await-in-loop
      if (region && poll % POLLS_A_LOOK === 0) await playPods(imageCaches, region, told, events);
      problem = undefined;
    } catch (error) {
      if (signal.aborted) break;
      if (messageOf(error) !== problem) events.onProblem(messageOf(error));
      problem = messageOf(error);
    }
    // oxlint-disable-next-line no-await-in-loop
    await sleep(POLL_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
  await standIn?.stop();
}

async function playCaches(
  imageCaches: ImageCacheObjects,
  options: LifeOptions,
  events: SimulatorEvents,
): Promise<void> {
  for (const object of await imageCaches.caches()) {
    const next = nextState(object, options, Date.now());
    if (!next) continue;
    const name = objectName(object);
    // oxlint-disable-next-line no-await-in-loop -- caches in the same file are written one after the other
    await (next.kind === 'expired' ? imageCaches.delete(object) : imageCaches.setStatus(object, next.status));
    if (next.kind === 'expired') events.onState(name, 'Deleted', '');
    else events.onState(name, next.phase, next.progress);
  }
}

/** Shows on the objects which caches are updated through the API. */
async function playUpdates(imageCaches: ImageCacheObjects, region: Region): Promise<void> {
  for (const object of await imageCaches.caches()) {
    const status = region.takeUpdate(object);
    // oxlint-disable-next-line no-await-in-loop -- caches in the same file are written one after the other
    if (status) await imageCaches.setStatus(object, status);
  }
}

/**
 * Starts each pod that a virtual node has and that ECI has not placed yet.
 * @param told the uids of pods that cannot start and were told so; as many as there are pods
 */
async function playPods(
  imageCaches: ImageCacheObjects,
  region: Region,
  told: Set<string>,
  events: SimulatorEvents,
): Promise<void> {
  const caches = await imageCaches.caches();
  const { nodes, pods } = await imageCaches.nodesAndPods();
  region.setCluster(caches, sizesOn(nodes));
  region.advance(Date.now());
  const virtual = new Set(nodes.filter(isVirtualNode).map(objectName));
  for (const pod of pods) {
    const nodeName = readText(partOf(pod, 'spec')['nodeName']);
    if (nodeName === undefined || !virtual.has(nodeName)) continue;
    if (isPlaced(pod) || isBeingDeleted(partOf(pod, 'metadata'))) continue;
    // oxlint-disable-next-line no-await-in-loop -- a pod starts from what the pod before it made
    await startPod(pod, imageCaches, region, told, events);
  }
}

async function startPod(
  pod: JsonObject,
  imageCaches: ImageCacheObjects,
  region: Region,
  told: Set<string>,
  events: SimulatorEvents,
): Promise<void> {
  const asked = startOf(pod);
  const started = region.start(asked, Date.now());
  if (!started.runs && told.has(asked.uid)) return;
  if (started.runs) await imageCaches.annotatePod(pod, groundTruth(asked, started));
  else told.add(asked.uid);
  for (const event of eventsOf(asked, started, (image) => region.bytesOf(image)))
    // oxlint-disable-next-line no-await-in-loop -- in their order
    await imageCaches.recordEvent(pod, event);
  events.onStart(asked.name, started.events[0]?.reason ?? '', started.cache?.id);
}

function isVirtualNode(node: JsonObject): boolean {
  const labels = readStringMap(partOf(node, 'metadata')['labels'], 'metadata.labels');
  return isVirtual(objectName(node), labels);
}

/** The bytes of the images that nodes hold, by each name of the image. */
function sizesOn(nodes: readonly JsonObject[]): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const node of nodes)
    for (const { names, sizeBytes } of objectsIn(partOf(node, 'status')['images']))
      if (typeof sizeBytes === 'number')
        for (const name of textsIn(names)) sizes[name] = Math.max(sizes[name] ?? 0, sizeBytes);
  return sizes;
}
